/**
 * Gives work on the page its turn: a little in each frame, in order, none while nobody looks.
 *
 * One for a chat, so that many messages that are rendered at once share the time. Browsers give no
 * frames to hidden pages, so nothing piles up there. Called by `stream.ts` and the message list.
 */

import type { IDisposable } from '@lumino/disposable';

export type FrameJob = () => void | Promise<void>;

/** What one frame may take before the rest waits for the next one; milliseconds. */
const BUDGET_MS = 6;

export class FrameQueue implements IDisposable {
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Have something done in one of the next frames. */
  add(job: FrameJob): void {
    if (!this._isDisposed) {
      this._jobs.push(job);
      this._ask();
    }
  }

  /** Do nothing while the chat is hidden: what is not laid out cannot be typeset. */
  setPaused(isPaused: boolean): void {
    this._isPaused = isPaused;
    this._ask();
  }

  dispose(): void {
    this._isDisposed = true;
    this._jobs.length = 0;
    cancelAnimationFrame(this._frame);
  }

  private _ask(): void {
    if (!this._isAsked && !this._isPaused && !this._isDisposed && this._jobs.length > 0) {
      this._isAsked = true;
      this._frame = requestAnimationFrame(() => {
        void this._run().finally(() => {
          this._isAsked = false;
          this._ask();
        });
      });
    }
  }

  private async _run(): Promise<void> {
    const start = performance.now();
    do {
      const job = this._jobs.shift();
      if (job === undefined) {
        return;
      }
      try {
        await job();
      } catch (error) {
        // One block that cannot be shown must not keep the others from it.
        console.error(error);
      }
    } while (performance.now() - start < BUDGET_MS && !this._isPaused);
  }

  private readonly _jobs: FrameJob[] = [];
  private _isAsked = false;
  private _isPaused = false;
  private _isDisposed = false;
  private _frame = 0;
}
