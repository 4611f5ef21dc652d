/**
 * Whether the page is light or dark, as JupyterLab's theme says it on the page's body.
 */

import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { DiagramTheme } from './nouns';

const ATTRIBUTE = 'data-jp-theme-light';

/** The colours that fit the page now. */
export class PageTheme implements IDisposable {
  constructor() {
    this._current = this._read();
    this._observer = new MutationObserver(() => {
      const now = this._read();
      if (now !== this._current) {
        this._current = now;
        this._changed.emit();
      }
    });
    this._observer.observe(document.body, { attributeFilter: [ATTRIBUTE] });
  }

  get current(): DiagramTheme {
    return this._current;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._observer.disconnect();
    Signal.clearData(this);
  }

  private _read(): DiagramTheme {
    return document.body.getAttribute(ATTRIBUTE) === 'false' ? 'dark' : 'default';
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _observer: MutationObserver;
  private _current: DiagramTheme;
  private _isDisposed = false;
}
