/**
 * The buttons on blocks of code: insert above and below, replace, copy, run.
 *
 * Plain elements, because they stand inside of rendered Markdown that React does not know. One
 * listener serves all of them; nothing happens but on a click. Called by `index.tsx`.
 */

import {
  addAboveIcon,
  addBelowIcon,
  copyIcon,
  LabIcon,
  runIcon
} from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';

import { codeTextOf } from '../markdown/code_view';
import type { CodeAction, ICodeActions } from '../workbench';
import { messageOf } from './failure';
import { replaceIcon } from './icons';

type ButtonAction = CodeAction | 'copy';

export interface CodeToolbarsOptions {
  readonly root: HTMLElement;
  readonly codeActions: ICodeActions;
  readonly trans: TranslationBundle;
  readonly announce: (text: string) => void;
}

interface ButtonText {
  readonly action: ButtonAction;
  readonly icon: LabIcon;
  readonly label: string;
  readonly done: string;
}

const BUTTON_CLASS = 'jp-LocalLLMChat-codeButton';
const DONE_MS = 1200;

export class CodeToolbars implements IDisposable {
  constructor(options: CodeToolbarsOptions) {
    this._options = options;
    this._buttons = buttonTexts(options.trans);
    options.codeActions.changed.connect(this._onActionsChanged);
    options.root.addEventListener('click', this._onClick);
    options.root.addEventListener('keydown', this._onKeyDown);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Put the buttons into the head of a block of code. */
  readonly decorate = (block: HTMLElement, language: string): void => {
    const head = block.querySelector('.jp-LocalLLMChat-codeHead');
    if (head === null || head.querySelector('.jp-LocalLLMChat-codeToolbar') !== null) {
      return;
    }
    const { trans } = this._options;
    const toolbar = document.createElement('div');
    toolbar.className = 'jp-LocalLLMChat-codeToolbar';
    toolbar.setAttribute('role', 'toolbar');
    toolbar.setAttribute(
      'aria-label',
      language === '' ? trans.__('Code') : trans.__('Code: %1', language)
    );
    this._buttons.forEach(({ action, icon }, index) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = BUTTON_CLASS;
      button.dataset.action = action;
      // One stop of the Tab key for each toolbar; arrows go on from there.
      button.tabIndex = index === 0 ? 0 : -1;
      icon.element({ container: button, tag: 'span' });
      toolbar.append(button);
      this._refreshButton(button);
    });
    head.append(toolbar);
  };

  dispose(): void {
    this._isDisposed = true;
    this._options.codeActions.changed.disconnect(this._onActionsChanged);
    this._options.root.removeEventListener('click', this._onClick);
    this._options.root.removeEventListener('keydown', this._onKeyDown);
  }

  private readonly _onActionsChanged = (): void => {
    const buttons = this._options.root.querySelectorAll<HTMLElement>(`.${BUTTON_CLASS}`);
    for (const button of buttons) {
      this._refreshButton(button);
    }
  };

  private _refreshButton(button: HTMLElement): void {
    const text = this._textOf(button);
    if (text === undefined) {
      return;
    }
    const reason = this._whyNot(text.action, blockOf(button)?.dataset.language ?? '');
    button.title = reason === null ? text.label : `${text.label}: ${reason}`;
    button.setAttribute('aria-label', button.title);
    button.setAttribute('aria-disabled', String(reason !== null));
  }

  private _whyNot(action: ButtonAction, language: string): string | null {
    return action === 'copy' ? null : this._options.codeActions.whyNot(action, language);
  }

  private _textOf(button: HTMLElement): ButtonText | undefined {
    return this._buttons.find(({ action }) => action === button.dataset.action);
  }

  private readonly _onClick = (event: MouseEvent): void => {
    const button = buttonAt(event);
    const block = button === null ? null : blockOf(button);
    const text = button === null ? undefined : this._textOf(button);
    if (button === null || text === undefined || block === null) {
      return;
    }
    void this._act(button, text, codeTextOf(block), block.dataset.language ?? '');
  };

  private async _act(
    button: HTMLElement,
    text: ButtonText,
    code: string,
    language: string
  ): Promise<void> {
    const { codeActions, announce, trans } = this._options;
    const { action } = text;
    const reason = this._whyNot(action, language);
    if (reason !== null) {
      announce(reason);
      return;
    }
    try {
      if (action === 'copy') {
        await navigator.clipboard.writeText(code);
      } else {
        await codeActions.perform(action, code, language);
      }
      announce(text.done);
      button.classList.add('jp-mod-done');
      window.setTimeout(() => {
        button.classList.remove('jp-mod-done');
      }, DONE_MS);
    } catch (error) {
      const message = messageOf(error, trans.__('That did not work.'));
      button.title = `${text.label}: ${message}`;
      announce(message);
    }
  }

  private readonly _onKeyDown = (event: KeyboardEvent): void => {
    const button = buttonAt(event);
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (button === null || step === 0) {
      return;
    }
    const buttons = [...(button.parentElement?.querySelectorAll<HTMLElement>('button') ?? [])];
    const next = buttons[(buttons.indexOf(button) + step + buttons.length) % buttons.length];
    event.preventDefault();
    button.tabIndex = -1;
    if (next !== undefined) {
      next.tabIndex = 0;
      next.focus();
    }
  };

  private readonly _options: CodeToolbarsOptions;
  private readonly _buttons: readonly ButtonText[];
  private _isDisposed = false;
}

function blockOf(button: HTMLElement): HTMLElement | null {
  return button.closest<HTMLElement>('.jp-LocalLLMChat-code');
}

function buttonAt(event: Event): HTMLElement | null {
  return event.target instanceof Element
    ? event.target.closest<HTMLElement>(`.${BUTTON_CLASS}`)
    : null;
}

function buttonTexts(trans: TranslationBundle): readonly ButtonText[] {
  return [
    {
      action: 'insert-above',
      icon: addAboveIcon,
      label: trans.__('Insert above the active cell'),
      done: trans.__('Inserted above the active cell.')
    },
    {
      action: 'insert-below',
      icon: addBelowIcon,
      label: trans.__('Insert below the active cell'),
      done: trans.__('Inserted below the active cell.')
    },
    {
      action: 'replace',
      icon: replaceIcon,
      label: trans.__('Replace the selection or the active cell'),
      done: trans.__('Replaced.')
    },
    { action: 'copy', icon: copyIcon, label: trans.__('Copy'), done: trans.__('Code copied.') },
    {
      action: 'run',
      icon: runIcon,
      label: trans.__('Insert below and run'),
      done: trans.__('Inserted below and run.')
    }
  ];
}
