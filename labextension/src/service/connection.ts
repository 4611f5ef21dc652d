/**
 * The websocket `localllm/chat`: says hello, comes back after a loss, and lets each answer's frames
 * through once and in order, whatever was cut, doubled or lost on the way.
 *
 * Answers that the server is known to have are resumed here. A question that was on its way when
 * the connection broke is not sent again from here: only who reads the chat can tell whether it
 * arrived. Called by the chat model; knows nothing of chats.
 */

import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { ConnectionState } from '../chat/state';
import { readServerFrame, writeAsk, writeCancel, writeResume } from '../frames.js';
import type { Ask, HelloFrame, NumberedFrame, ServerFrame } from '../frames';
import { PROTOCOL_VERSION, ProtocolError } from '../protocol.js';
import type { WireError } from '../protocol';
import type { Ports, Socket } from './connection_ports';
import { FollowedStreams } from './followed_stream.js';
import { versionError } from './status.js';
import type { Translator } from './status_text';

/** What followers see: every frame but hello; a numbered one exactly once and in order. */
export type DeliveredFrame = Exclude<ServerFrame, HelloFrame>;

/** The connection as the chat model uses it. */
export interface IChatConnection extends IDisposable {
  readonly state: ConnectionState;
  readonly stateChanged: ISignal<IChatConnection, ConnectionState>;
  readonly frame: ISignal<IChatConnection, DeliveredFrame>;
  /** Send a question; kept until the connection is open. */
  ask(ask: Ask): void;
  /** Take back a question that has not left yet; false where it has. */
  withdraw(requestId: string): boolean;
  /** Follow an answer that the server has, from where it was left, else from its start. */
  follow(requestId: string): void;
  /** No longer follow; the server goes on writing. */
  unfollow(requestId: string): void;
  cancel(requestId: string): void;
  /** Try again now. */
  retry(): void;
}

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 10_000;
const HELLO_TIMEOUT_MS = 10_000;

/** Sockets that fail in a row, while HTTP works, before that is said. */
const MAX_BLOCKED = 4;

/** Code of the error made here for an answer that cannot be received. */
export const LOST_CODE = 'answer_lost';

export class ChatConnection implements IChatConnection {
  constructor(
    private readonly _ports: Ports,
    private readonly _trans: Translator
  ) {
    this._streams = new FollowedStreams(_ports, {
      resume: (requestId, lastSeq) => {
        if (this._isOpen) {
          this._send(writeResume(requestId, lastSeq));
        }
      },
      deliver: frame => {
        this._frame.emit(frame);
      },
      lose: requestId => {
        this._frame.emit(this._lost(requestId));
      }
    });
    this._wakes = _ports.onWake(reason => {
      this._wake(reason);
    });
    this._open();
  }

  get state(): ConnectionState {
    return this._state;
  }

  get stateChanged(): ISignal<this, ConnectionState> {
    return this._stateChanged;
  }

  get frame(): ISignal<this, DeliveredFrame> {
    return this._frame;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._wakes.dispose();
    this._stopTimer();
    this._dropSocket();
    this._streams.clear();
    Signal.clearData(this);
  }

  ask(ask: Ask): void {
    this._streams.expect(ask.requestId);
    if (this._isOpen) {
      this._send(writeAsk(ask));
    } else {
      this._unsentAsks.set(ask.requestId, ask);
    }
  }

  withdraw(requestId: string): boolean {
    if (!this._unsentAsks.delete(requestId)) {
      return false;
    }
    this._streams.delete(requestId);
    return true;
  }

  follow(requestId: string): void {
    this._streams.follow(requestId);
  }

  unfollow(requestId: string): void {
    this._streams.delete(requestId);
  }

  cancel(requestId: string): void {
    if (this._isOpen) {
      this._send(writeCancel(requestId));
    } else {
      this._unsentCancels.add(requestId);
    }
  }

  retry(): void {
    if (!this._isDisposed && this._socket === null) {
      this._nFailures = 0;
      this._open();
    }
  }

  // --- the socket ------------------------------------------------------------------------

  private _open(): void {
    this._stopTimer();
    let socket: Socket;
    try {
      socket = this._ports.openSocket();
    } catch {
      // A browser throws at once where a page may not open this address at all.
      void this._closed(false);
      return;
    }
    this._socket = socket;
    socket.onmessage = event => {
      if (typeof event.data === 'string') {
        this._receive(event.data);
      }
    };
    socket.onclose = () => {
      this._giveUp();
    };
    this._timer = this._ports.setTimeout(() => {
      this._giveUp();
    }, HELLO_TIMEOUT_MS);
  }

  private _dropSocket(): void {
    const socket = this._socket;
    this._socket = null;
    this._isOpen = false;
    if (socket !== null) {
      // What it still says must not be taken for words of its successor.
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
  }

  private _giveUp(): void {
    const wasOpen = this._isOpen;
    this._dropSocket();
    this._stopTimer();
    void this._closed(wasOpen);
  }

  private async _closed(wasOpen: boolean): Promise<void> {
    if (this._state.kind !== 'refused') {
      this._setState({ kind: wasOpen || this._wasEverOpen ? 'lost' : 'connecting' });
    }
    this._nFailures += 1;
    if (wasOpen) {
      this._nBlocked = 0;
      this._retryLater();
      return;
    }
    const attempt = this._nFailures;
    const probe = await this._ports.probe();
    if (this._isDisposed || this._socket !== null || attempt !== this._nFailures) {
      return;
    }
    if (probe.kind === 'refused') {
      // Nothing changes by itself here; the page's waking up or the user tries again.
      this._refuse(probe.error);
      return;
    }
    this._nBlocked = probe.kind === 'there' ? this._nBlocked + 1 : 0;
    if (this._nBlocked >= MAX_BLOCKED) {
      this._refuse({
        code: 'websocket_blocked',
        message: this._trans.__('The Jupyter server answers, but its websocket does not open.'),
        hint: this._trans.__('A proxy in between may block websockets; ask whoever runs it.')
      });
    } else {
      this._setState({ kind: this._wasEverOpen ? 'lost' : 'connecting' });
    }
    this._retryLater();
  }

  private _retryLater(): void {
    const bound = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (this._nFailures - 1));
    // Jitter: the pages of a class do not all come back in the same instant.
    const delay = bound * (0.5 + this._ports.random() / 2);
    this._timer = this._ports.setTimeout(() => {
      this._open();
    }, delay);
  }

  private _wake(reason: 'visible' | 'online'): void {
    if (this._socket === null) {
      this.retry();
    } else if (reason === 'online' && this._isOpen) {
      // The old connection may be dead without having been closed; resuming costs little.
      this._nFailures = 0;
      this._dropSocket();
      this._setState({ kind: 'lost' });
      this._open();
    }
  }

  private _stopTimer(): void {
    if (this._timer !== null) {
      this._ports.clearTimeout(this._timer);
      this._timer = null;
    }
  }

  private _setState(state: ConnectionState): void {
    if (state.kind !== this._state.kind || state.kind === 'refused') {
      this._state = state;
      this._stateChanged.emit(state);
    }
  }

  private _refuse(error: WireError): void {
    this._setState({ kind: 'refused', message: error.message, hint: error.hint });
  }

  private _send(frame: object): void {
    this._socket?.send(JSON.stringify(frame));
  }

  // --- frames ----------------------------------------------------------------------------

  private _receive(text: string): void {
    let frame: ServerFrame | null;
    try {
      frame = readServerFrame(text);
    } catch (error) {
      if (!(error instanceof ProtocolError)) {
        throw error;
      }
      // A numbered frame that is missing now leaves a gap, which is asked for again.
      console.warn(`jupyter_localllm: a frame was not understood: ${error.message}`);
      return;
    }
    if (frame === null) {
      return;
    }
    if (frame.type === 'hello') {
      this._greet(frame);
    } else if ('seq' in frame && frame.seq !== null && frame.requestId !== null) {
      this._streams.receive(frame as NumberedFrame);
    } else {
      this._receiveOther(frame);
    }
  }

  private _greet(frame: HelloFrame): void {
    this._stopTimer();
    if (frame.protocolVersion !== PROTOCOL_VERSION) {
      this._dropSocket();
      this._refuse(versionError(frame.protocolVersion, this._trans));
      return;
    }
    this._isOpen = true;
    this._wasEverOpen = true;
    this._nFailures = 0;
    this._nBlocked = 0;
    this._streams.reconnect();
    const asks = [...this._unsentAsks.values()];
    this._unsentAsks.clear();
    asks.forEach(ask => {
      this._send(writeAsk(ask));
    });
    this._unsentCancels.forEach(requestId => {
      this._send(writeCancel(requestId));
    });
    this._unsentCancels.clear();
    this._setState({ kind: 'open' });
  }

  private _receiveOther(frame: DeliveredFrame): void {
    if (frame.type === 'error' && frame.requestId !== null) {
      // The frame about this answer was refused: there is nothing to follow.
      this._streams.delete(frame.requestId);
    }
    this._frame.emit(frame);
  }

  private _lost(requestId: string): DeliveredFrame {
    const message = this._trans.__('Parts of this answer did not arrive.');
    const hint = this._trans.__('Reload this page; the whole answer is kept on the server.');
    return { type: 'error', error: { code: LOST_CODE, message, hint }, requestId, seq: null };
  }

  private readonly _frame = new Signal<this, DeliveredFrame>(this);
  private readonly _stateChanged = new Signal<this, ConnectionState>(this);
  private readonly _streams: FollowedStreams;
  private readonly _unsentAsks = new Map<string, Ask>();
  private readonly _unsentCancels = new Set<string>();
  private readonly _wakes: IDisposable;
  private _isDisposed = false;
  private _isOpen = false;
  private _nBlocked = 0;
  private _nFailures = 0;
  private _socket: Socket | null = null;
  private _state: ConnectionState = { kind: 'connecting' };
  private _timer: unknown = null;
  private _wasEverOpen = false;
}
