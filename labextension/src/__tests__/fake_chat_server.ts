/**
 * A server of kept chats in memory, for tests of the chat model: each page has a connection, and the
 * test says when an answer goes on.
 */

import { Signal } from '@lumino/signaling';

import type { ConnectionState } from '../chat/state';
import type { Chat, MessageRecord } from '../chat_protocol';
import type { Ask } from '../frames';
import type { DeliveredFrame, IChatConnection } from '../service/connection';
import { BLANK_MESSAGE as BLANK } from '../chat/model_questions.js';
import { apiError } from './fake_chats.js';

const USAGE = { promptTokens: 30, completionTokens: 10, cachedTokens: 20 };
const TIMINGS = { promptMs: 1, predictedPerSecond: 2, queueMs: 3, firstTokenMs: 4 };

export const BLANK_MESSAGE = { ...BLANK, createdMs: 0, parentId: null } as const;

interface Stream {
  readonly chatId: string;
  readonly frames: DeliveredFrame[];
  text: string;
  isEnded: boolean;
}

export class FakeChatServer {
  readonly chats = new Map<string, Chat>();
  readonly deleted = new Map<string, Chat>();
  readonly streams = new Map<string, Stream>();
  readonly connections = new Set<FakeConnection>();
  readonly calls: string[] = [];
  readonly asked: Ask[] = [];
  /** What the next GET of a chat answers: the chat as it was a moment ago. */
  staleChat: Chat | null = null;
  /** Errors that the next calls of a route end in. */
  readonly failures: { route: string; error: Error }[] = [];
  private _clock = 1000;

  // --- the test's side -------------------------------------------------------------------

  get lastAsk(): Ask {
    const ask = this.asked.at(-1);
    if (ask === undefined) {
      throw new Error('nothing was asked');
    }
    return ask;
  }

  /** The answer goes on. */
  write(text: string, requestId = this.lastAsk.requestId): void {
    const stream = this._stream(requestId);
    stream.text += text;
    const seq = stream.frames.length + 1;
    this._emit(stream, { type: 'delta', requestId, firstSeq: seq, seq, text });
  }

  progress(nDone: number, requestId = this.lastAsk.requestId): void {
    const stream = this._stream(requestId);
    this._emit(stream, {
      type: 'progress',
      requestId,
      seq: stream.frames.length + 1,
      queuePosition: null,
      promptTokensDone: nDone,
      promptTokensTotal: 100,
      modelState: null,
      loadProgress: null
    });
  }

  /** The answer ends; its record is kept and told, unless the disk is full. */
  end(
    finishReason: 'stop' | 'cancelled' = 'stop',
    requestId = this.lastAsk.requestId,
    isSaved = true
  ): void {
    const stream = this._stream(requestId);
    const seq = stream.frames.length + 1;
    const isStop = finishReason === 'stop';
    const usage = isStop ? USAGE : { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };
    const model = 'alpha';
    const facts = { finishReason, usage, timings: TIMINGS, model, seed: null };
    this._emit(stream, { type: 'done', requestId, seq, ...facts });
    stream.isEnded = true;
    const state = isStop ? 'complete' : 'stopped';
    this._close(stream, requestId, { state, ...facts }, isSaved);
  }

  /** The worker crashes. */
  crash(requestId = this.lastAsk.requestId): void {
    const stream = this._stream(requestId);
    const error = { code: 'worker_crashed', message: 'It crashed.', hint: 'Ask again.' };
    const seq = stream.frames.length + 1;
    this._emit(stream, { type: 'error', error, requestId, seq });
    stream.isEnded = true;
    this._close(stream, requestId, { state: 'failed', error }, true);
  }

  tell(frame: DeliveredFrame): void {
    for (const connection of this.connections) {
      connection.deliver(frame);
    }
  }

  chat(chatId: string): Chat {
    const chat = this.chats.get(chatId);
    if (chat === undefined) {
      throw apiError('chat_not_found', 404);
    }
    return chat;
  }

  // --- the pages' side -------------------------------------------------------------------

  ask(ask: Ask, from: FakeConnection): void {
    this.asked.push(ask);
    const chat = this.chats.get(ask.chatId);
    const refuse = (code: string): void => {
      const error = { code, message: `${code}.`, hint: '' };
      from.deliver({ type: 'error', error, requestId: ask.requestId, seq: null });
    };
    if (chat === undefined) {
      refuse('chat_not_found');
    } else if (chat.messages.some(({ messageId }) => messageId === ask.requestId)) {
      from.join(ask.requestId, 0);
    } else if (chat.messages.some(({ state }) => state === 'writing')) {
      refuse('chat_busy');
    } else {
      this._begin(ask, chat, from);
    }
  }

  cancel(requestId: string, from: FakeConnection): void {
    const stream = this.streams.get(requestId);
    if (stream === undefined) {
      const error = { code: 'stream_not_found', message: 'Gone.', hint: '' };
      from.deliver({ type: 'error', error, requestId, seq: null });
    } else if (!stream.isEnded) {
      this.end('cancelled', requestId);
    }
  }

  change(chatId: string, change: Partial<Chat>): Chat {
    this._clock += 1;
    const chat = { ...this.chat(chatId), ...change, updatedMs: this._clock };
    this.chats.set(chatId, chat);
    return chat;
  }

  now(): number {
    this._clock += 1;
    return this._clock;
  }

  private _begin(ask: Ask, chat: Chat, from: FakeConnection): void {
    const records: MessageRecord[] = [];
    if (ask.message !== null) {
      const { parentId } = ask;
      const createdMs = this.now();
      records.push({ ...BLANK_MESSAGE, ...ask.message, parentId, createdMs, role: 'user' });
    }
    const parentId = ask.message?.messageId ?? ask.parentId;
    const start = { messageId: ask.requestId, parentId, createdMs: this.now(), model: ask.model };
    records.push({ ...BLANK_MESSAGE, ...start, role: 'assistant', state: 'writing' });
    const messages = [...chat.messages, ...records];
    this.change(ask.chatId, { messages, currentId: ask.requestId });
    for (const message of records) {
      this.tell({ type: 'message', chatId: ask.chatId, message, currentId: message.messageId });
    }
    const { requestId, chatId } = ask;
    const stream: Stream = { chatId, frames: [], text: '', isEnded: false };
    this.streams.set(requestId, stream);
    from.join(requestId, 0);
    this._emit(stream, { type: 'start', requestId, seq: 1, model: ask.model });
  }

  private _stream(requestId: string): Stream {
    const stream = this.streams.get(requestId);
    if (stream === undefined) {
      throw new Error(`no answer ${requestId}`);
    }
    return stream;
  }

  private _emit(stream: Stream, frame: DeliveredFrame): void {
    stream.frames.push(frame);
    for (const connection of this.connections) {
      connection.flush();
    }
  }

  private _close(
    stream: Stream,
    messageId: string,
    facts: Partial<MessageRecord>,
    isSaved: boolean
  ): void {
    const chat = this.chat(stream.chatId);
    const messages = chat.messages.map(message =>
      message.messageId === messageId ? { ...message, ...facts, content: stream.text } : message
    );
    this.change(stream.chatId, { messages });
    const message = messages.find(one => one.messageId === messageId);
    if (message !== undefined && isSaved) {
      this.tell({ type: 'message', chatId: stream.chatId, message, currentId: null });
    }
  }
}

/** One page's connection; `lose` and `open` are the test's. */
export class FakeConnection implements IChatConnection {
  state: ConnectionState = { kind: 'open' };
  readonly stateChanged = new Signal<this, ConnectionState>(this);
  readonly frame = new Signal<this, DeliveredFrame>(this);
  readonly cancelled: string[] = [];
  isDisposed = false;
  /** What leaves or comes now is lost on the way. */
  isBlackHole = false;
  /** What comes now is lost on the way. */
  isDeaf = false;
  private readonly _positions = new Map<string, number>();
  private readonly _unsent: Ask[] = [];

  constructor(private readonly _server: FakeChatServer) {
    _server.connections.add(this);
  }

  lose(): void {
    this._server.connections.delete(this);
    this.setState({ kind: 'lost' });
  }

  open(): void {
    this.isBlackHole = false;
    this.isDeaf = false;
    this._server.connections.add(this);
    this.setState({ kind: 'open' });
    for (const ask of this._unsent.splice(0)) {
      this._server.ask(ask, this);
    }
    this.flush();
  }

  setState(state: ConnectionState): void {
    this.state = state;
    this.stateChanged.emit(state);
  }

  deliver(frame: DeliveredFrame): void {
    if (!this.isBlackHole && !this.isDeaf) {
      this.frame.emit(frame);
    }
  }

  join(requestId: string, position: number): void {
    if (!this.isBlackHole && !this.isDeaf) {
      this._positions.set(requestId, position);
    }
  }

  /** Deliver what the followed answers have. */
  flush(): void {
    for (const [requestId, position] of this._positions) {
      const frames = this._server.streams.get(requestId)?.frames.slice(position) ?? [];
      this._positions.set(requestId, position + frames.length);
      frames.forEach(frame => {
        this.deliver(frame);
      });
    }
  }

  ask(ask: Ask): void {
    if (this.state.kind !== 'open') {
      this._unsent.push(ask);
    } else if (!this.isBlackHole) {
      this._server.ask(ask, this);
    }
  }

  withdraw(requestId: string): boolean {
    const at = this._unsent.findIndex(ask => ask.requestId === requestId);
    if (at >= 0) {
      this._unsent.splice(at, 1);
    }
    return at >= 0;
  }

  follow(requestId: string): void {
    if (this._positions.has(requestId)) {
      return;
    }
    if (!this._server.streams.has(requestId)) {
      const error = { code: 'stream_not_found', message: 'Gone.', hint: '' };
      this.deliver({ type: 'error', error, requestId, seq: null });
      return;
    }
    this.join(requestId, 0);
    this.flush();
  }

  unfollow(requestId: string): void {
    this._positions.delete(requestId);
  }

  cancel(requestId: string): void {
    this.cancelled.push(requestId);
    if (this.state.kind === 'open' && !this.isBlackHole) {
      this._server.cancel(requestId, this);
    }
  }

  retry(): void {
    this.open();
  }

  dispose(): void {
    this.isDisposed = true;
    this._server.connections.delete(this);
  }
}
