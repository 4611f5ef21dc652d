/**
 * The answer that is being written: its text so far and what is known before the first token.
 *
 * Fed by the chat model with frames in order; painted by the view, which alone decides how often.
 */

import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { ProgressFrame } from '../frames';
import type { AnswerProgress, ILiveAnswer } from './state';

export class LiveAnswer implements ILiveAnswer {
  /**
   * @param startedAt - Milliseconds of `performance.now()` at which it was asked for.
   */
  constructor(
    readonly messageId: string,
    readonly startedAt: number
  ) {}

  get text(): string {
    return this._text;
  }

  get progress(): AnswerProgress | null {
    return this._progress;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** It is told from its beginning, perhaps once more. */
  begin(): void {
    this._text = '';
    this._progress = null;
    this._changed.emit();
  }

  setProgress(frame: ProgressFrame): void {
    const last = this._progress;
    this._progress = Object.freeze({
      queuePosition: frame.queuePosition,
      // A frame tells one thing; how far the prompt is stays true until the next one says more.
      promptTokensDone: frame.promptTokensDone ?? last?.promptTokensDone ?? null,
      promptTokensTotal: frame.promptTokensTotal ?? last?.promptTokensTotal ?? null,
      isLoadingModel: frame.modelState === 'loading',
      loadProgress: frame.modelState === 'loading' ? frame.loadProgress : null
    });
    this._changed.emit();
  }

  append(text: string): void {
    this._text += text;
    this._changed.emit();
  }

  dispose(): void {
    Signal.clearData(this);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _progress: AnswerProgress | null = null;
  private _text = '';
}
