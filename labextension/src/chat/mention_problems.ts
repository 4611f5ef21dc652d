/**
 * Why a mention cannot be read, in one sentence. Pure; for the command line and the sources.
 */

import type { Translator } from '../service/status_text.js';
import type { Mention } from './mentions.js';

/** `null` where nothing is wrong with how the mention is written. */
export function mentionProblem(mention: Mention, trans: Translator): string | null {
  switch (mention.problem) {
    case null:
      return null;
    case 'no-name':
      return mention.name === 'var'
        ? trans.__('A variable name is missing after "@var:".')
        : trans.__('A file name is missing after "@file:".');
    case 'open-quote':
      return trans.__('The quote in %1 is not closed.', mention.raw);
    case 'not-a-variable':
      return trans.__(
        '"%1" is not a plain variable. Only names with attributes and literal indices can be attached, such as df.columns or data["key"][0].',
        mention.argument
      );
  }
}
