/**
 * Keeps knowing which models there are: polls `localllm/status`, slowly as a rule.
 *
 * One is shared by the model picker and the status bar. Fast while something loads or is asked,
 * standing by while nobody sees the page.
 */

import { Poll } from '@lumino/polling';
import type { IPoll } from '@lumino/polling';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { StatusReply, WireError } from '../protocol';
import { ApiError } from './api.js';

/** How the models do, as it was last heard. */
export interface IModelStatus {
  /** The last reply, also while the server is away; `null` before the first. */
  readonly status: StatusReply | null;
  /** Why the last request failed, or `null`. */
  readonly error: WireError | null;
  readonly changed: ISignal<IModelStatus, void>;
  /** Ask now. */
  refresh(): Promise<void>;
  /** Ask often as long as the returned object is not disposed. */
  watchClosely(): IDisposable;
}

const SLOW: IPoll.Frequency = { interval: 15_000, backoff: true, max: 60_000 };
const FAST: IPoll.Frequency = { interval: 700, backoff: true, max: 5_000 };

/** {@link IModelStatus} by polling. */
export class ModelStatus implements IModelStatus, IDisposable {
  /**
   * @param fetch - Asks the server once.
   */
  constructor(fetch: (signal: AbortSignal) => Promise<StatusReply>) {
    this._poll = new Poll({
      auto: false,
      name: 'jupyter-localllm:status',
      frequency: SLOW,
      standby: 'when-hidden',
      factory: async () => {
        await this._ask(fetch);
      }
    });
  }

  get status(): StatusReply | null {
    return this._status;
  }

  get error(): WireError | null {
    return this._error;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  /** Begin to poll; until then only {@link refresh} asks. */
  start(): void {
    if (!this._isStarted) {
      this._isStarted = true;
      void this._poll.start();
    }
  }

  async refresh(): Promise<void> {
    if (!this.isDisposed) {
      await this._poll.refresh();
      await this._poll.tick;
    }
  }

  watchClosely(): IDisposable {
    this._nWatchers += 1;
    this._adjust();
    let isDisposed = false;
    return {
      get isDisposed() {
        return isDisposed;
      },
      dispose: () => {
        if (!isDisposed) {
          isDisposed = true;
          this._nWatchers -= 1;
          this._adjust();
        }
      }
    };
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._abort.abort();
    // Disposing alone leaves the timer of the next tick running.
    void this._poll.stop();
    this._poll.dispose();
    Signal.clearData(this);
  }

  private async _ask(fetch: (signal: AbortSignal) => Promise<StatusReply>): Promise<void> {
    try {
      this._status = await fetch(this._abort.signal);
      this._error = null;
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      this._error = error.wire;
      throw error;
    } finally {
      if (!this.isDisposed) {
        this._adjust();
        this._changed.emit();
      }
    }
  }

  private _adjust(): void {
    if (this.isDisposed) {
      return;
    }
    const { models = [], running = 0, waiting = 0 } = this._status ?? {};
    // What a page says about these is soon wrong.
    const isPassing = running + waiting > 0 || models.some(model => model.state === 'loading');
    const wanted = isPassing || this._nWatchers > 0 ? FAST : SLOW;
    if (this._poll.frequency.interval !== wanted.interval) {
      this._poll.frequency = wanted;
      if (wanted === FAST && this._nWatchers > 0) {
        void this._poll.refresh();
      }
    }
  }

  private readonly _abort = new AbortController();
  private readonly _changed = new Signal<this, void>(this);
  private readonly _poll: Poll;
  private _error: WireError | null = null;
  private _isStarted = false;
  private _nWatchers = 0;
  private _status: StatusReply | null = null;
}
