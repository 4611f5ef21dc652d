/**
 * Where code stands in a Markdown text that a person typed: fenced blocks and spans in backticks.
 *
 * Pure. A mention inside code is only code, so `mentions.ts` looks here first. Indented blocks are
 * not code here: in a chat's input, indented text is usually just indented.
 */

/** From `start` up to, not including, `end`; in UTF-16 units. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;

/** The fence that a line opens, or `null`; an info string of backticks may hold none itself. */
function openedFence(line: string): string | null {
  const match = FENCE.exec(line);
  const fence = match?.[1];
  if (fence === undefined || (fence.startsWith('`') && match?.[2]?.includes('`') === true)) {
    return null;
  }
  return fence;
}

function isClosedBy(line: string, fence: string): boolean {
  const match = FENCE.exec(line);
  const closing = match?.[1];
  return (
    closing !== undefined &&
    closing.startsWith(fence.charAt(0)) &&
    closing.length >= fence.length &&
    match?.[2]?.trim() === ''
  );
}

/** Fenced blocks; one that is not closed runs to the end. */
function findFences(text: string): TextRange[] {
  const found: TextRange[] = [];
  let open: { fence: string; start: number } | null = null;
  let position = 0;
  for (const line of text.split('\n')) {
    const end = position + line.length;
    if (open === null) {
      const fence = openedFence(line);
      open = fence === null ? null : { fence, start: position };
    } else if (isClosedBy(line, open.fence)) {
      found.push({ start: open.start, end });
      open = null;
    }
    position = end + 1;
  }
  if (open !== null) {
    found.push({ start: open.start, end: text.length });
  }
  return found;
}

/** Spans between two runs of equally many backticks, within `range`. */
function findSpans(text: string, range: TextRange): TextRange[] {
  const runs = [...text.slice(range.start, range.end).matchAll(/`+/g)].map(match => ({
    start: range.start + match.index,
    length: match[0].length
  }));
  // The nearest later run of the same length, so that many unclosed runs cost no more than one.
  const closers = new Map<number, number>();
  const closedBy = new Array<number | undefined>(runs.length);
  for (let index = runs.length - 1; index >= 0; index--) {
    const length = runs[index]?.length ?? 0;
    closedBy[index] = closers.get(length);
    closers.set(length, index);
  }
  const found: TextRange[] = [];
  for (let index = 0; index < runs.length; index++) {
    const opener = runs[index];
    const closerIndex = closedBy[index];
    const closer = closerIndex === undefined ? undefined : runs[closerIndex];
    if (opener !== undefined && closer !== undefined && closerIndex !== undefined) {
      found.push({ start: opener.start, end: closer.start + closer.length });
      index = closerIndex;
    }
  }
  return found;
}

/** All code in a text, in order, without overlaps. */
export function findCode(text: string): readonly TextRange[] {
  const found: TextRange[] = [];
  let position = 0;
  for (const fence of findFences(text)) {
    found.push(...findSpans(text, { start: position, end: fence.start }), fence);
    position = fence.end;
  }
  found.push(...findSpans(text, { start: position, end: text.length }));
  return found;
}

/** Whether a position lies inside one of these ranges. */
export function isInside(ranges: readonly TextRange[], position: number): boolean {
  return ranges.some(range => range.start <= position && position < range.end);
}
