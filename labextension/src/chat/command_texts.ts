/**
 * What `/commands` say of themselves: captions, usage, `/help`. Pure.
 */

import type { Translator } from '../service/status_text.js';
import { COMMAND_NAMES } from './command_parser.js';
import type { CommandName } from './command_parser.js';

/** A command as lists show it. */
export interface CommandText {
  readonly name: CommandName;
  /** `/fix [words]` */
  readonly usage: string;
  readonly caption: string;
  /** Whether something may follow it. */
  readonly takesWords: boolean;
}

function describe(name: CommandName, trans: Translator): { words: string; caption: string } {
  switch (name) {
    case 'help':
      return { words: '', caption: trans.__('List the commands') };
    case 'new':
      return { words: '', caption: trans.__('Begin a new chat; this one is kept') };
    case 'clear':
      return { words: '', caption: trans.__('The same as /new') };
    case 'explain':
      return { words: trans.__('[words]'), caption: trans.__('Explain the active cell and its error') };
    case 'fix':
      return { words: trans.__('[words]'), caption: trans.__('Fix the error of the active cell') };
    case 'generate':
      return { words: trans.__('words'), caption: trans.__('Write code for what you describe') };
    case 'export':
      return { words: '[md|ipynb|chat]', caption: trans.__('Save this chat as a file') };
    case 'model':
      return { words: trans.__('[name]'), caption: trans.__('Choose the model, or say which it is') };
    case 'system':
      return {
        words: trans.__('[text|off]'),
        caption: trans.__('Set the instructions of this chat, or show them')
      };
  }
}

/** One command in words. */
export function commandText(name: CommandName, trans: Translator): CommandText {
  const { words, caption } = describe(name, trans);
  const usage = words === '' ? `/${name}` : `/${name} ${words}`;
  return { name, usage, caption, takesWords: words !== '' };
}

/** All commands, one a line. */
export function helpText(trans: Translator): string {
  const lines = COMMAND_NAMES.map(name => {
    const { usage, caption } = commandText(name, trans);
    return `${usage} – ${caption}`;
  });
  const mentions = '@cell @selection @error @output @notebook @var:name @file:path';
  return [...lines, trans.__('Attach with %1', mentions)].join('\n');
}
