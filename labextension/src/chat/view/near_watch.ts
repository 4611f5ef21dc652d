/**
 * Tells messages when they come near to what is seen, once; all others when there is time.
 *
 * So a long chat opens at once. One for a chat. Called by the message component.
 */

import type { IDisposable } from '@lumino/disposable';

import type { FrameQueue } from '../markdown/frame_queue';

/** How far out of sight a message is prepared. */
const MARGIN = '800px 0px';
const IDLE_DELAY_MS = 400;

export class NearWatch implements IDisposable {
  constructor(queue: FrameQueue) {
    this._queue = queue;
    this._observer = new IntersectionObserver(
      entries => {
        for (const entry of entries) {
          if (entry.isIntersecting) {
            this._tell(entry.target);
          }
        }
      },
      { rootMargin: MARGIN }
    );
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Call back once when the element is near; returns what takes that back. */
  watch(element: Element, onNear: () => void): () => void {
    this._waiting.set(element, onNear);
    this._observer.observe(element);
    this._askForTime(IDLE_DELAY_MS);
    return () => {
      this._waiting.delete(element);
      this._observer.unobserve(element);
    };
  }

  dispose(): void {
    this._isDisposed = true;
    this._observer.disconnect();
    this._waiting.clear();
    clearTimeout(this._timer);
  }

  private _tell(element: Element): void {
    const onNear = this._waiting.get(element);
    this._waiting.delete(element);
    this._observer.unobserve(element);
    onNear?.();
  }

  private _askForTime(delay: number): void {
    if (this._timer !== 0 || this._isDisposed || this._waiting.size === 0) {
      return;
    }
    this._timer = window.setTimeout(() => {
      this._queue.add(() => {
        this._timer = 0;
        // The newest are read first.
        const last = [...this._waiting.keys()].pop();
        if (last !== undefined) {
          this._tell(last);
        }
        this._askForTime(50);
      });
    }, delay);
  }

  private readonly _queue: FrameQueue;
  private readonly _observer: IntersectionObserver;
  private readonly _waiting = new Map<Element, () => void>();
  private _timer = 0;
  private _isDisposed = false;
}
