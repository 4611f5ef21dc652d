/**
 * The buttons of one diagram: a row with one stop of the Tab key, arrows go on from there.
 *
 * Which of them are there depends on what is shown; that and what they do is `view.ts`'s matter.
 */

import {
  addBelowIcon,
  codeIcon,
  copyIcon,
  downloadIcon,
  listIcon
} from '@jupyterlab/ui-components';
import type { LabIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';

import { enlargeIcon } from './icons';

export type DiagramAction =
  | 'source'
  | 'copy-source'
  | 'picture'
  | 'insert'
  | 'enlarge'
  | 'changes';

interface ButtonText {
  readonly action: DiagramAction;
  readonly icon: LabIcon;
  readonly label: string;
}

/** How a button is: not there, there, or there and unusable for a reason. */
export interface ButtonState {
  readonly isShown: boolean;
  readonly whyNot?: string | null;
  /** Of a button that opens something. */
  readonly isExpanded?: boolean;
}

const DONE_MS = 1200;

function buttonTexts(trans: TranslationBundle): readonly ButtonText[] {
  return [
    { action: 'changes', icon: listIcon, label: trans.__('What was changed') },
    { action: 'source', icon: codeIcon, label: trans.__('Show source') },
    { action: 'copy-source', icon: copyIcon, label: trans.__('Copy source') },
    { action: 'picture', icon: downloadIcon, label: trans.__('Copy or save the picture') },
    { action: 'insert', icon: addBelowIcon, label: trans.__('Insert as cell') },
    { action: 'enlarge', icon: enlargeIcon, label: trans.__('Enlarge') }
  ];
}

/** Buttons in plain elements, because they stand inside of rendered Markdown. */
export class DiagramToolbar {
  readonly node: HTMLElement;

  constructor(
    label: string,
    trans: TranslationBundle,
    onAction: (action: DiagramAction, button: HTMLElement) => void
  ) {
    this.node = document.createElement('div');
    this.node.className = 'jp-LocalLLMDiagram-toolbar';
    this.node.setAttribute('role', 'toolbar');
    this.node.setAttribute('aria-label', label);
    for (const { action, icon, label: text } of buttonTexts(trans)) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'jp-LocalLLMDiagram-button';
      button.dataset.action = action;
      button.hidden = true;
      button.addEventListener('click', () => {
        if (button.getAttribute('aria-disabled') !== 'true') {
          onAction(action, button);
        }
      });
      icon.element({ container: button, tag: 'span' });
      this._buttons.set(action, button);
      this._labels.set(action, text);
      this.node.append(button);
    }
    this.node.addEventListener('keydown', this._onKeyDown);
  }

  /** Show, hide and explain the buttons. */
  set(states: Readonly<Record<DiagramAction, ButtonState>>): void {
    const hadFocus = this.node.contains(document.activeElement);
    for (const [action, button] of this._buttons) {
      const { isShown, whyNot, isExpanded } = states[action];
      const label = this._labels.get(action) ?? '';
      button.hidden = !isShown;
      button.title = typeof whyNot === 'string' ? `${label}: ${whyNot}` : label;
      button.setAttribute('aria-label', button.title);
      button.setAttribute('aria-disabled', String(typeof whyNot === 'string'));
      if (isExpanded !== undefined) {
        button.setAttribute('aria-expanded', String(isExpanded));
      }
    }
    const shown = this._shown();
    // Where somebody is among the buttons, that one stays the stop.
    const stop = shown.find(button => button === document.activeElement) ?? shown[0];
    for (const button of this._buttons.values()) {
      button.tabIndex = button === stop ? 0 : -1;
    }
    if (hadFocus && stop !== document.activeElement) {
      stop?.focus();
    }
  }

  /** Put the focus on the button where Tab stops. */
  focus(): void {
    this._shown().find(({ tabIndex }) => tabIndex === 0)?.focus();
  }

  /** Say that the button's work is done, for a moment. */
  markDone(button: HTMLElement): void {
    button.classList.add('jp-mod-done');
    window.setTimeout(() => {
      button.classList.remove('jp-mod-done');
    }, DONE_MS);
  }

  private _shown(): HTMLElement[] {
    return [...this._buttons.values()].filter(({ hidden }) => !hidden);
  }

  private readonly _onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const shown = this._shown();
    const index = shown.findIndex(button => button === document.activeElement);
    if (step === 0 || index < 0) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const next = shown[(index + step + shown.length) % shown.length];
    for (const button of shown) {
      button.tabIndex = button === next ? 0 : -1;
    }
    next?.focus();
  };

  private readonly _buttons = new Map<DiagramAction, HTMLButtonElement>();
  private readonly _labels = new Map<DiagramAction, string>();
}
