/**
 * Tells diagrams when they come near to what is seen, so that a long history draws what is read.
 *
 * Called by `kit.ts`.
 */

import type { IDisposable } from '@lumino/disposable';

/** How far out of sight a diagram is drawn. */
const MARGIN = '600px';

/** `scrollMargin` counts inside of scrolled elements; not every browser knows it. */
interface ObserverOptions extends IntersectionObserverInit {
  scrollMargin: string;
}

export class Near implements IDisposable {
  constructor() {
    const options: ObserverOptions = { rootMargin: MARGIN, scrollMargin: MARGIN };
    this._observer = new IntersectionObserver(entries => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) {
          this._observer.unobserve(target);
          const onNear = this._waiting.get(target);
          this._waiting.delete(target);
          onNear?.();
        }
      }
    }, options);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Call back once when the element is near; the last callback of an element counts. */
  readonly whenNear = (node: Element, onNear: () => void): void => {
    this._waiting.set(node, onNear);
    this._observer.observe(node);
  };

  dispose(): void {
    this._isDisposed = true;
    this._observer.disconnect();
  }

  private readonly _observer: IntersectionObserver;
  private readonly _waiting = new WeakMap<Element, () => void>();
  private _isDisposed = false;
}
