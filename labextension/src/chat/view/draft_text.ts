/**
 * What completions, mentions and the history do to the text in the input.
 *
 * Pure. Called by `composer.tsx`.
 */

import type { ShownMessage } from '../state';
import type { Completion, CompletionList } from '../workbench';

/** The text with a completion put in, and where the cursor goes. */
export function insertCompletion(
  text: string,
  { start, end }: CompletionList,
  { insert }: Completion
): { readonly text: string; readonly cursor: number } {
  return { text: text.slice(0, start) + insert + text.slice(end), cursor: start + insert.length };
}

/** The text without what is between two places, and without a double space there. */
export function withoutMention(
  text: string,
  start: number,
  end: number
): { readonly text: string; readonly cursor: number } {
  const before = text.slice(0, start);
  const after = text.slice(end).replace(/^ /, /(?:^|\s)$/.test(before) ? '' : ' ');
  return { text: before + after, cursor: before.length };
}

/** Whether a completion is a whole mention that can become a chip. */
export function isWholeMention({ kind, insert }: Completion): boolean {
  const mention = insert.trim();
  return (
    (kind === 'context' || kind === 'file' || kind === 'variable') &&
    mention.startsWith('@') &&
    !mention.endsWith(':') &&
    !mention.endsWith('/')
  );
}

/** Goes through the person's own questions; `undefined` where there is none in this direction. */
export function stepThroughHistory(
  messages: readonly ShownMessage[],
  text: string,
  step: -1 | 1
): string | undefined {
  const questions = messages
    .filter(({ record }) => record.role === 'user')
    .map(({ record }) => record.content);
  if (text === '') {
    return step === -1 ? questions[questions.length - 1] : undefined;
  }
  const at = questions.lastIndexOf(text);
  if (at < 0) {
    return undefined;
  }
  return step === 1 && at === questions.length - 1 ? '' : questions[at + step];
}
