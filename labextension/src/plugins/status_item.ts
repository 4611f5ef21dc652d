/**
 * The item in the status bar: which model answers, and whether it is loading or busy.
 *
 * Plain DOM, as it is there from Lab's start. Made by `plugins/chat.ts`.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { describeBrief } from '../service/status_text';
import type { IModelStatus } from '../service/model_status';

export class ModelStatusItem extends Widget {
  constructor(
    private readonly _modelStatus: IModelStatus,
    private readonly _trans: TranslationBundle,
    onClick: () => void
  ) {
    super();
    this.addClass('jp-LocalLLMStatusItem');
    this._button = document.createElement('button');
    this._button.type = 'button';
    this._button.className = 'jp-Button jp-mod-minimal jp-LocalLLMStatusItem-button';
    // Looks like Lab's text items; the chat's own style sheet is not there yet.
    Object.assign(this._button.style, {
      background: 'none',
      border: 'none',
      color: 'inherit',
      cursor: 'pointer',
      font: 'inherit',
      height: '100%',
      lineHeight: 'inherit',
      minHeight: '0',
      padding: '0 4px',
      verticalAlign: 'top'
    });
    this._button.addEventListener('click', onClick);
    this.node.append(this._button);
    _modelStatus.changed.connect(this._show);
    this._show();
  }

  override dispose(): void {
    this._modelStatus.changed.disconnect(this._show);
    super.dispose();
  }

  private readonly _show = (): void => {
    const { text, caption, state } = describeBrief(this._modelStatus, this._trans);
    this._button.textContent = text;
    this._button.title = caption;
    this.node.dataset.state = state;
  };

  private readonly _button: HTMLButtonElement;
}
