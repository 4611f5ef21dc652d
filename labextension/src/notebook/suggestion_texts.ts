/**
 * Three things to begin with, for what is open. Pure: a situation in, suggestions out.
 */

import type { Suggestion } from '../chat/workbench.js';
import type { Translator } from '../service/status_text.js';

/** What the open notebook looks like. */
export interface Situation {
  readonly hasNotebook: boolean;
  readonly hasCells: boolean;
  /** Of the active cell: '' where there is none or it is empty. */
  readonly activeType: string;
  readonly hasError: boolean;
  readonly hasOutput: boolean;
  readonly language: string;
}

function forCodeCell(situation: Situation, trans: Translator): Suggestion[] {
  const explain = { label: trans.__('Explain the active cell'), text: '/explain' };
  if (situation.hasError) {
    return [
      { label: trans.__('Fix the error in the active cell'), text: '/fix' },
      {
        label: trans.__('Explain the error in simple words'),
        text: trans.__('/explain What does this error mean, in simple words?')
      },
      explain
    ];
  }
  return [
    explain,
    situation.hasOutput
      ? {
          label: trans.__('What does the output mean?'),
          text: trans.__('What does this output of the cell mean? @cell @output')
        }
      : {
          label: trans.__('Add comments to the active cell'),
          text: trans.__('Add short comments to this code. @cell')
        },
    {
      label: trans.__('Write a test for the active cell'),
      text: trans.__('Write a small test for this code. @cell')
    }
  ];
}

function forNotebook(situation: Situation, trans: Translator): Suggestion[] {
  const next = {
    label: trans.__('What could come next?'),
    text: trans.__('What could be the next step in this notebook? @notebook')
  };
  const summary = {
    label: trans.__('Summarise this notebook'),
    text: trans.__('Summarise this notebook in five sentences. @notebook')
  };
  if (situation.activeType === 'markdown') {
    return [
      {
        label: trans.__('Improve the active text cell'),
        text: trans.__('Improve the wording of this text. @cell')
      },
      summary,
      next
    ];
  }
  return [
    summary,
    next,
    {
      label: trans.__('Write code for the next cell'),
      text: trans.__('/generate the next cell of this notebook. @notebook')
    }
  ];
}

function general(trans: Translator): Suggestion[] {
  return [
    {
      label: trans.__('Explain a list comprehension'),
      text: trans.__('Explain what a list comprehension is, with one example.')
    },
    {
      label: trans.__('Plot a sine wave'),
      text: trans.__('/generate code that plots a sine wave with matplotlib')
    },
    { label: trans.__('What can I do here?'), text: '/help' }
  ];
}

/** Three suggestions. */
export function suggestionsFor(situation: Situation, trans: Translator): readonly Suggestion[] {
  if (!situation.hasNotebook || !situation.hasCells) {
    return general(trans);
  }
  return situation.activeType === 'code'
    ? forCodeCell(situation, trans)
    : forNotebook(situation, trans);
}
