/**
 * What one line of Markdown can begin or end, looked at alone.
 *
 * Pure functions on text; `blocks.ts` puts them together. Nothing here keeps state.
 */

/** An opening fence: its marks, its indentation and the rest of the line. */
export interface FenceOpening {
  readonly mark: string;
  readonly length: number;
  readonly indent: number;
  readonly info: string;
}

const FENCE = /^( {0,3})(`{3,}|~{3,})(.*)$/;
const NESTED_FENCE = /^(\s*)(?:(?:[-*+]|\d{1,9}[.)])\s+)*(`{3,}|~{3,})(.*)$/;
const HEADING = /^ {0,3}#{1,6}(?:[ \t]|$)/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const SETEXT = /^ {0,3}(?:=+|-+)[ \t]*$/;
const LIST_ITEM = /^ {0,3}(?:([-*+])|\d{1,9}[.)])(?:[ \t]|$)/;
const INTERRUPTING_ITEM = /^ {0,3}(?:[-*+]|1[.)])[ \t]+\S/;
const QUOTE = /^ {0,3}>/;
const DEFINITION = /^ {0,3}\[[^\]]+\]:/;
const MATH = /^ {0,3}(?:\$\$|\\\[|\\begin\{[A-Za-z]+\*?\})/;
const CONTAINER = /^ {0,3}<(details|div|table|center|section|blockquote|ul|ol|dl)(?=[\s>/]|$)/i;
const BLOCK_TAG =
  /^ {0,3}<\/?(?:address|article|aside|blockquote|center|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|header|hr|iframe|legend|li|link|main|nav|ol|optgroup|option|p|section|summary|table|tbody|td|tfoot|th|thead|title|tr|ul)(?=[\s>/]|$)/i;
const RAW = /^ {0,3}<(script|pre|style|textarea)(?=[\s>]|$)/i;

export function isBlank(line: string): boolean {
  return line.trim() === '';
}

/** Columns of white space at the start; a tab reaches the next multiple of four. */
export function indentOf(line: string): number {
  let columns = 0;
  for (const character of line) {
    if (character === ' ') {
      columns += 1;
    } else if (character === '\t') {
      columns += 4 - (columns % 4);
    } else {
      break;
    }
  }
  return columns;
}

function readFence(match: RegExpExecArray | null): FenceOpening | null {
  const [, lead = '', marks = '', info = ''] = match ?? [];
  const mark = marks.charAt(0);
  // What a line of backticks holds behind them may not hold another one: it is inline code.
  if (mark === '' || (mark === '`' && info.includes('`'))) {
    return null;
  }
  return { mark, length: marks.length, indent: lead.length, info: info.trim() };
}

export function fenceOpening(line: string): FenceOpening | null {
  return readFence(FENCE.exec(line));
}

/** A fence that may be indented, and may stand behind list markers. */
export function nestedFenceOpening(line: string): FenceOpening | null {
  return readFence(NESTED_FENCE.exec(line));
}

export function closesFence(line: string, fence: FenceOpening): boolean {
  const marks = line.trim();
  return marks.length >= fence.length && marks === fence.mark.repeat(marks.length);
}

export function isHeading(line: string): boolean {
  return HEADING.test(line);
}

export function isRule(line: string): boolean {
  return RULE.test(line);
}

export function isSetextLine(line: string): boolean {
  return SETEXT.test(line);
}

export function isQuote(line: string): boolean {
  return QUOTE.test(line);
}

export function isDefinition(line: string): boolean {
  return DEFINITION.test(line);
}

export function startsMath(line: string): boolean {
  return MATH.test(line);
}

/** `'bullet'` or `'ordered'` where the line is an item of a list. */
export function listItemKind(line: string): 'bullet' | 'ordered' | null {
  const match = isRule(line) ? null : LIST_ITEM.exec(line);
  if (match === null) {
    return null;
  }
  return match[1] === undefined ? 'ordered' : 'bullet';
}

/** Whether the line is a list item that may end a paragraph. */
export function isInterruptingItem(line: string): boolean {
  return !isRule(line) && INTERRUPTING_ITEM.test(line);
}

/** What ends a block of HTML: a mark, a container's own closing tag, or a blank line. */
export type HtmlEnd =
  | { readonly kind: 'mark'; readonly mark: string }
  | { readonly kind: 'container'; readonly tag: string }
  | { readonly kind: 'blank' };

export function htmlStart(line: string): HtmlEnd | null {
  const text = line.trimStart();
  if (indentOf(line) > 3 || !text.startsWith('<')) {
    return null;
  }
  const raw = RAW.exec(line)?.[1];
  if (raw !== undefined) {
    return { kind: 'mark', mark: `</${raw.toLowerCase()}>` };
  }
  if (text.startsWith('<!--')) {
    return { kind: 'mark', mark: '-->' };
  }
  if (text.startsWith('<?')) {
    return { kind: 'mark', mark: '?>' };
  }
  if (text.startsWith('<![CDATA[')) {
    return { kind: 'mark', mark: ']]>' };
  }
  const container = CONTAINER.exec(line)?.[1];
  if (container !== undefined) {
    return { kind: 'container', tag: container.toLowerCase() };
  }
  return BLOCK_TAG.test(line) ? { kind: 'blank' } : null;
}

/** How many more `<tag` than `</tag` the line has. */
export function tagBalance(line: string, tag: string): number {
  const opened = line.match(new RegExp(`<${tag}(?=[\\s>/]|$)`, 'gi'))?.length ?? 0;
  const closed = line.match(new RegExp(`</${tag}(?=[\\s>]|$)`, 'gi'))?.length ?? 0;
  return opened - closed;
}

/** Whether a line whose end has not come yet already is neither a list item nor indented. */
export function beginsWithLetter(partialLine: string): boolean {
  return /^[\p{L}"'(]/u.test(partialLine);
}
