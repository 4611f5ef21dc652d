/**
 * What screen readers are told: the model's announcements and the results of buttons.
 *
 * One sentence at a time; shown by the panel's one polite region. Called by `index.tsx`.
 */

import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { IChatModel } from '../state';

export interface SpokenSentence {
  readonly text: string;
  /** Tells equal sentences apart. */
  readonly count: number;
}

export class SpokenStatus implements IDisposable {
  constructor(model: IChatModel) {
    this._model = model;
    this._announcement = model.state.announcement;
    model.changed.connect(this._onModelChanged);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A new object for each sentence, also for equal ones. */
  get current(): SpokenSentence {
    return this._current;
  }

  say(text: string): void {
    this._current = { text, count: this._current.count + 1 };
    this._changed.emit();
  }

  dispose(): void {
    this._isDisposed = true;
    this._model.changed.disconnect(this._onModelChanged);
    Signal.clearData(this);
  }

  private readonly _onModelChanged = (): void => {
    const { announcement } = this._model.state;
    if (announcement !== this._announcement) {
      this._announcement = announcement;
      this.say(announcement.text);
    }
  };

  private readonly _model: IChatModel;
  private readonly _changed = new Signal<this, void>(this);
  private _announcement: { readonly text: string };
  private _current: SpokenSentence = { text: '', count: 0 };
  private _isDisposed = false;
}
