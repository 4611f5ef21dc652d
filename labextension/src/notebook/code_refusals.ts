/**
 * Why a code block's button can do nothing now: facts about the notebook in, a sentence out.
 *
 * Pure. `code_actions.ts` collects the facts from Lab.
 */

import type { CodeAction } from '../chat/workbench.js';
import type { Translator } from '../service/status_text.js';
import { canRun, languageTitle } from './languages.js';

export type KernelState = 'ready' | 'none' | 'starting' | 'dead';

/** What decides about the buttons. */
export interface NotebookFacts {
  readonly isOpen: boolean;
  readonly isVisible: boolean;
  readonly isReadOnly: boolean;
  readonly hasActiveCell: boolean;
  /** From the active cell's metadata. */
  readonly isEditable: boolean;
  readonly isDeletable: boolean;
  readonly kernel: KernelState;
  /** '' where it is not known. */
  readonly kernelLanguage: string;
}

function whyNotReplace(facts: NotebookFacts, trans: Translator): string | null {
  if (!facts.hasActiveCell) {
    return trans.__('No cell is active. Select the cell to replace first.');
  }
  if (!facts.isEditable) {
    return trans.__('The active cell is locked against changes. Select another cell.');
  }
  if (!facts.isDeletable) {
    return trans.__('The active cell is protected against replacing. Select another cell.');
  }
  return null;
}

function whyNotRun(facts: NotebookFacts, language: string, trans: Translator): string | null {
  switch (facts.kernel) {
    case 'none':
      return trans.__('The notebook has no kernel. Choose one in the notebook first.');
    case 'starting':
      return trans.__('The kernel is still starting. Try again in a moment.');
    case 'dead':
      return trans.__('The kernel has died. Restart it first.');
    case 'ready':
      break;
  }
  if (!canRun(language, facts.kernelLanguage)) {
    return trans.__(
      'This is %1 code; the notebook runs %2.',
      languageTitle(language),
      languageTitle(facts.kernelLanguage)
    );
  }
  return null;
}

/** One sentence, or `null` where the action is possible. */
export function whyNotAction(
  action: CodeAction,
  language: string,
  facts: NotebookFacts,
  trans: Translator
): string | null {
  if (!facts.isOpen) {
    return trans.__('No notebook is open.');
  }
  if (!facts.isVisible) {
    return trans.__('No notebook is visible. Bring its tab to the front.');
  }
  if (facts.isReadOnly) {
    return trans.__('The notebook is read-only.');
  }
  switch (action) {
    case 'replace':
      return whyNotReplace(facts, trans);
    case 'run':
      return whyNotRun(facts, language, trans);
    default:
      return null;
  }
}
