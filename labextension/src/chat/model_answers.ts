/**
 * Answers on their way: questions that were sent, answers that are being written, their ends.
 *
 * Turns the frames of the connection into messages of the shown chat. An answer of a chat that is
 * not shown goes on being followed, so that it is there when its chat is. Only the chat model
 * calls it, and tells it which chat is shown.
 */

import type { Chat, ContextItem, MessageRecord } from '../chat_protocol';
import type { Ask, DoneFrame, ErrorFrame, MessageFrame, NumberedFrame } from '../frames';
import type { WireError } from '../protocol';
import { LOST_CODE } from '../service/connection.js';
import type { IChatConnection } from '../service/connection';
import type { Translator } from '../service/status_text';
import { LiveAnswer } from './live_answer.js';
import type { ShownChat } from './model_chat';

/** A question that the server has not said to have kept. */
export interface Pending {
  readonly ask: Ask;
  /** The branch that was shown before. */
  readonly beforeId: string | null;
  /** What goes back into the input where the question cannot be sent; `null` of a regeneration. */
  readonly taken: { readonly content: string; readonly items: readonly ContextItem[] } | null;
  /** It has left, or waits in the connection to do so. */
  isSent: boolean;
  /** It had left when the connection was lost, so nobody knows whether it arrived. */
  isDoubtful: boolean;
  wantsStop: boolean;
}

/** What answers do to the rest of the model. */
export interface AnswerHooks {
  shown(): ShownChat;
  /** The state has changed. */
  touch(): void;
  announce(text: string): void;
  fail(error: WireError): void;
  /** The server does not take the question: its text goes back to where it was typed. */
  takeBack(pending: Pending): void;
  /** The chat has to be read again, as an answer's end was missed. */
  reload(chatId: string): void;
  /** An answer began or ended. */
  busyChanged(): void;
}

export class Answers {
  constructor(
    private readonly _connection: IChatConnection,
    private readonly _hooks: AnswerHooks,
    private readonly _trans: Translator,
    private readonly _now: () => number
  ) {}

  /** Whether any answer is being written, of whichever chat. */
  get isBusy(): boolean {
    return this._live.size > 0;
  }

  get pending(): readonly Pending[] {
    return [...this._pending.values()];
  }

  live(messageId: string): LiveAnswer | null {
    return this._live.get(messageId) ?? null;
  }

  /** Show a question and its answer to come, before anything is sent. */
  begin(pending: Pending, records: readonly MessageRecord[]): void {
    const { requestId } = pending.ask;
    this._pending.set(requestId, pending);
    this._track(requestId, pending.ask.chatId);
    this._hooks.shown().put(records, requestId);
    this._hooks.touch();
  }

  /** Send the question now or when the connection is open. */
  send(pending: Pending): void {
    pending.isSent = true;
    pending.isDoubtful = false;
    this._connection.ask(pending.ask);
  }

  /** Stop an answer; one whose question has not left is taken back. */
  stop(messageId: string): void {
    const pending = this._pending.get(messageId);
    if (pending === undefined) {
      this._connection.cancel(messageId);
      return;
    }
    pending.wantsStop = true;
    if (!pending.isSent || this._connection.withdraw(messageId)) {
      this.refuse(pending);
    } else if (!pending.isDoubtful) {
      this._connection.cancel(messageId);
    }
  }

  /** The connection is lost: what has left may not have arrived. */
  markLost(): void {
    for (const pending of this._pending.values()) {
      pending.isDoubtful = pending.isSent;
    }
  }

  /** The chat as the server has it: find out which questions arrived and which answers ended. */
  compare(chat: Chat): void {
    for (const record of chat.messages) {
      const live = this._live.get(record.messageId);
      if (live === undefined) {
        continue;
      }
      if (record.state === 'writing') {
        this._arrive(record.messageId);
        this._connection.follow(record.messageId);
      } else {
        this._drop(record.messageId);
      }
    }
    for (const pending of this._pending.values()) {
      if (pending.ask.chatId === chat.chatId && pending.isDoubtful) {
        this._askAgain(pending);
      }
    }
    this._followShown();
  }

  /** The chat cannot be read: send again what is in doubt, which adds nothing twice. */
  settleBlindly(chatId: string, isGone: boolean): void {
    for (const pending of this._pending.values()) {
      if (pending.ask.chatId === chatId && isGone) {
        this.refuse(pending);
      } else if (pending.ask.chatId === chatId && pending.isDoubtful) {
        this._askAgain(pending);
      }
    }
  }

  /** The server does not have this question: take it back. */
  refuse(pending: Pending): void {
    this._drop(pending.ask.requestId);
    this._hooks.takeBack(pending);
    this._hooks.touch();
  }

  dispose(): void {
    this._live.forEach(live => {
      live.dispose();
    });
    this._live.clear();
    this._pending.clear();
  }

  // --- frames ----------------------------------------------------------------------------

  receive(frame: NumberedFrame): void {
    const live = this._live.get(frame.requestId);
    if (live === undefined) {
      return;
    }
    this._arrive(frame.requestId);
    switch (frame.type) {
      case 'start':
        live.begin();
        this._announceIn(frame.requestId, this._trans.__('Answer started'));
        return;
      case 'progress':
        live.setProgress(frame);
        return;
      case 'delta':
        live.append(frame.text);
        return;
      case 'done':
        this._finish(live, doneFields(frame));
        return;
      case 'error':
        this._finish(live, { state: 'failed', error: frame.error });
    }
  }

  /** A message is on disk. */
  receiveMessage(frame: MessageFrame): void {
    const { message, chatId, currentId } = frame;
    const { messageId } = message;
    this._arrive(messageId);
    const shown = this._hooks.shown();
    if (chatId !== shown.chat.chatId) {
      return;
    }
    if (message.state !== 'writing') {
      if (this._live.has(messageId)) {
        // The record overtook the last frame of the stream.
        this._announceIn(messageId, endWords(message, this._trans));
      }
      this._drop(messageId);
    } else if (isEnded(shown.get(messageId))) {
      // The end of the answer overtook the word of its beginning.
      return;
    }
    shown.put([message], currentId);
    this._followShown();
    this._hooks.touch();
  }

  /** A frame of ours was refused. */
  receiveRefusal(frame: ErrorFrame & { readonly requestId: string }): void {
    const { requestId, error } = frame;
    const pending = this._pending.get(requestId);
    const live = this._live.get(requestId);
    if (error.code === 'duplicate_request') {
      // It arrived twice; the answer is on its way.
      this._arrive(requestId);
      this._connection.follow(requestId);
    } else if (pending !== undefined) {
      this.refuse(pending);
      this._hooks.fail(error);
    } else if (live !== undefined) {
      // Its stream is gone, but its chat is kept: look there how it ended.
      const chatId = this._chatIds.get(requestId);
      this._drop(requestId);
      this._hooks.touch();
      if (chatId !== undefined) {
        this._hooks.reload(chatId);
      }
      if (error.code === LOST_CODE) {
        this._hooks.fail(error);
      }
    }
    // Else somebody stopped or resumed what had just ended.
  }

  // --- one answer ------------------------------------------------------------------------

  /** Follow the answer of the shown chat that somebody else asked for, or an earlier page. */
  private _followShown(): void {
    const { writingId, chat } = this._hooks.shown();
    if (writingId !== null && !this._live.has(writingId)) {
      this._track(writingId, chat.chatId);
      this._connection.follow(writingId);
      this._hooks.touch();
    }
  }

  private _track(messageId: string, chatId: string): void {
    this._live.set(messageId, new LiveAnswer(messageId, this._now()));
    this._chatIds.set(messageId, chatId);
    this._hooks.busyChanged();
  }

  private _drop(messageId: string): void {
    this._pending.delete(messageId);
    this._chatIds.delete(messageId);
    this._connection.unfollow(messageId);
    const live = this._live.get(messageId);
    if (live !== undefined) {
      this._live.delete(messageId);
      live.dispose();
      this._hooks.busyChanged();
    }
  }

  /** The server has the question of this answer. */
  private _arrive(messageId: string): void {
    const pending = this._pending.get(messageId);
    if (pending === undefined) {
      return;
    }
    this._pending.delete(messageId);
    if (pending.isDoubtful && pending.wantsStop) {
      this._connection.cancel(messageId);
    }
  }

  private _askAgain(pending: Pending): void {
    if (pending.wantsStop) {
      this.refuse(pending);
    } else {
      this.send(pending);
    }
  }

  private _finish(live: LiveAnswer, fields: AnswerEnd): void {
    const { messageId, text } = live;
    const shown = this._hooks.shown();
    const record = shown.get(messageId);
    this._announceIn(messageId, endWords(fields, this._trans));
    this._drop(messageId);
    if (record !== undefined && !isEnded(record)) {
      // The server's own record follows; where it cannot be saved, this one stays.
      shown.put([Object.freeze({ ...record, ...fields, content: text })], null);
    }
    this._hooks.touch();
  }

  private _announceIn(messageId: string, text: string): void {
    if (this._chatIds.get(messageId) === this._hooks.shown().chat.chatId) {
      this._hooks.announce(text);
    }
  }

  private readonly _chatIds = new Map<string, string>();
  private readonly _live = new Map<string, LiveAnswer>();
  private readonly _pending = new Map<string, Pending>();
}

function isEnded(record: MessageRecord | undefined): boolean {
  return record !== undefined && record.state !== 'writing';
}

/** How an answer ended. */
type AnswerEnd = Pick<MessageRecord, 'state'> & Partial<MessageRecord>;

function doneFields(frame: DoneFrame): AnswerEnd {
  const { finishReason, usage, timings, model, seed } = frame;
  const state = finishReason === 'cancelled' ? 'stopped' : 'complete';
  return { state, finishReason, usage, timings, seed, ...(model === '' ? {} : { model }) };
}

function endWords(end: AnswerEnd, trans: Translator): string {
  switch (end.state) {
    case 'stopped':
      return trans.__('Stopped');
    case 'failed':
    case 'interrupted':
      return end.error?.message ?? trans.__('The answer was interrupted');
    default:
      return trans.__('Answer finished');
  }
}
