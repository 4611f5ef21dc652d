/**
 * What stands below a diagram: why there is no picture, who has changed it and how.
 *
 * Makes elements of texts; knows nothing of requests. Called by `view.ts`.
 */

import type { TranslationBundle } from '@jupyterlab/translation';

import { differenceOf } from './difference';
import type { DiagramFault } from './nouns';

function element(tag: string, className: string, text = ''): HTMLElement {
  const node = document.createElement(tag);
  node.className = `jp-LocalLLMDiagram-${className}`;
  node.textContent = text;
  return node;
}

/** A line of text below the picture. */
function noteLine(text: string): HTMLElement {
  return element('p', 'note', text);
}

/** Why there is no picture, and the next step. */
function faultNote(fault: DiagramFault): HTMLElement {
  const note = element('div', 'fault');
  note.append(element('p', 'faultMessage', fault.message));
  if (fault.hint !== '') {
    note.append(element('p', 'faultHint', fault.hint));
  }
  return note;
}

function textButton(action: string, text: string, onClick: () => void): HTMLElement {
  const button = element('button', 'textButton', text);
  button.setAttribute('type', 'button');
  button.dataset.action = action;
  button.addEventListener('click', onClick);
  return button;
}

/** Says that the model is at work, with a button that stops it. */
function repairingNote(trans: TranslationBundle, onStop: () => void): HTMLElement {
  const note = element('div', 'repairing');
  note.append(
    element('span', 'note', trans.__('The model is repairing this diagram…')),
    textButton('stop-repair', trans.__('Stop'), onStop)
  );
  return note;
}

const SIGNS = { ' ': 'same', '-': 'out', '+': 'in' } as const;

/** What was changed: sentences, and the lines before and after. */
function changesNote(
  changes: readonly string[],
  before: string,
  after: string,
  trans: TranslationBundle
): HTMLElement {
  const note = element('div', 'changes');
  note.setAttribute('role', 'group');
  note.setAttribute('aria-label', trans.__('What was changed'));
  if (changes.length > 0) {
    const list = element('ul', 'changeList');
    list.append(...changes.map(text => element('li', 'change', text)));
    note.append(list);
  }
  if (before.trimEnd() !== after.trimEnd()) {
    const lines = element('div', 'difference');
    // Long lines are reached by the keyboard, too.
    lines.tabIndex = 0;
    lines.setAttribute('role', 'group');
    lines.setAttribute('aria-label', trans.__('Lines taken out and put in'));
    lines.append(
      ...differenceOf(before, after).map(({ sign, text }) => {
        const line = element('span', 'line', `${sign} ${text}\n`);
        line.classList.add(`jp-mod-${SIGNS[sign]}`);
        return line;
      })
    );
    note.append(lines);
  }
  return note;
}

/** What is known of a source that could not be drawn. */
export interface FaultFacts {
  readonly fault: DiagramFault | null;
  /** Why the model could not repair it. */
  readonly repairFault: DiagramFault | null;
  /** Stops the model; `null` where it is not at work. */
  readonly stop: (() => void) | null;
  /** Asks the model; `null` where it cannot help. */
  readonly repair: (() => void) | null;
  /** Asks the server again; `null` where that would change nothing. */
  readonly retry: (() => void) | null;
}

/** What stands below a source that is shown as code. */
export function faultNotes(facts: FaultFacts, trans: TranslationBundle): readonly HTMLElement[] {
  const { fault, repairFault, stop, repair, retry } = facts;
  const faults = fault === null ? [] : [faultNote(fault)];
  if (stop !== null) {
    return [...faults, repairingNote(trans, stop)];
  }
  if (repairFault !== null) {
    if (repairFault.code === fault?.code) {
      // The same sentence about the source, with another next step.
      faults.pop();
    }
    faults.push(faultNote(repairFault));
  }
  if (repair !== null) {
    faults.at(-1)?.append(textButton('repair', trans.__('Repair'), repair));
  } else if (retry !== null) {
    faults.at(-1)?.append(textButton('retry', trans.__('Draw again'), retry));
  }
  return faults;
}

/** How the source of a picture differs from what was written. */
export interface ChangeFacts {
  readonly given: string;
  readonly drawn: string;
  readonly changes: readonly string[];
  readonly isRepaired: boolean;
  readonly areShown: boolean;
}

/** Whether there is anything to tell. */
export function hasChanges({ given, drawn, changes }: ChangeFacts): boolean {
  return changes.length > 0 || drawn.trimEnd() !== given.trimEnd();
}

/** What stands below a picture. */
export function pictureNotes(facts: ChangeFacts, trans: TranslationBundle): readonly HTMLElement[] {
  const { given, drawn, changes, isRepaired, areShown } = facts;
  if (!hasChanges(facts)) {
    return [];
  }
  const line = isRepaired
    ? trans.__('Repaired by the model.')
    : trans.__('Corrected before it was drawn.');
  return areShown
    ? [noteLine(line), changesNote(changes, given, drawn, trans)]
    : [noteLine(line)];
}

/** A source as text with one of its lines marked; joined, it is the source. */
export function markedSource(source: string, line: number): readonly (string | HTMLElement)[] {
  const lines = source.split('\n');
  const atFault = lines[line - 1];
  if (atFault === undefined) {
    return [source];
  }
  const mark = element('mark', 'faultLine', atFault);
  const before = lines.slice(0, line - 1).map(text => `${text}\n`).join('');
  const after = lines.slice(line).map(text => `\n${text}`).join('');
  return [before, mark, after];
}
