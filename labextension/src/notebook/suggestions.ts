/**
 * Looks at the visible notebook for an empty chat's suggestions; the texts are in
 * `suggestion_texts.ts`.
 */

import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { ISuggestions, Suggestion } from '../chat/workbench.js';
import type { Translator } from '../service/status_text.js';
import { notebookLanguage } from './active_notebook.js';
import type { ActiveNotebook } from './active_notebook.js';
import { outputsOf } from './notebook_reader.js';
import { lastError } from './output_text.js';
import { suggestionsFor } from './suggestion_texts.js';
import type { Situation } from './suggestion_texts.js';

/** Three suggestions that follow the visible notebook. */
export class NotebookSuggestions implements ISuggestions, IDisposable {
  private readonly onNotebookChanged = (): void => {
    const situation = JSON.stringify(this.situation);
    if (situation !== this.lastSituation) {
      this.lastSituation = situation;
      this._changed.emit();
    }
  };

  private lastSituation: string;
  private readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;

  constructor(
    private readonly notebook: ActiveNotebook,
    private readonly trans: Translator
  ) {
    this.lastSituation = JSON.stringify(this.situation);
    notebook.changed.connect(this.onNotebookChanged, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  list(): readonly Suggestion[] {
    return suggestionsFor(this.situation, this.trans);
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private get situation(): Situation {
    const panel = this.notebook.panel;
    const cells = panel?.content.model?.cells;
    const active = panel?.content.activeCell?.model ?? null;
    const isEmpty = active === null || active.sharedModel.getSource().trim() === '';
    const outputs = active === null ? [] : outputsOf(active);
    return {
      hasNotebook: panel !== null,
      hasCells: cells !== undefined && Array.from(cells).some(cell => cell.sharedModel.getSource().trim() !== ''),
      activeType: isEmpty ? '' : active.type,
      hasError: lastError(outputs) !== null,
      hasOutput: outputs.length > 0,
      language: panel === null ? '' : notebookLanguage(panel)
    };
  }
}
