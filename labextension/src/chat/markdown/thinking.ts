/**
 * Parts a reasoning model's answer into what it thought and what it says.
 *
 * Pure. Called by the view of an answer.
 */

export interface AnswerParts {
  /** `null` where the answer has no such part. */
  readonly thinking: string | null;
  readonly isThinking: boolean;
  readonly answer: string;
}

const OPEN = '<think>';
const CLOSE = '</think>';

/** Split an answer that begins with `<think>`; it may stop anywhere. */
export function splitThinking(text: string): AnswerParts {
  const start = text.trimStart();
  if (!start.startsWith(OPEN)) {
    // The first letters of the tag are not shown as text.
    const isBegun = start !== '' && OPEN.startsWith(start);
    return { thinking: null, isThinking: false, answer: isBegun ? '' : text };
  }
  const inside = start.slice(OPEN.length);
  const end = inside.indexOf(CLOSE);
  if (end < 0) {
    return { thinking: inside.trim(), isThinking: true, answer: '' };
  }
  return {
    thinking: inside.slice(0, end).trim(),
    isThinking: false,
    answer: inside.slice(end + CLOSE.length).replace(/^\s*\n/, '')
  };
}
