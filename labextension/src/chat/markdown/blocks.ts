/**
 * Cuts growing Markdown into top-level blocks, so that what is finished need not be looked at again.
 *
 * A block is frozen as soon as nothing that may follow can change it; the rest is the tail. The
 * frozen blocks and the tail, joined, are the text. A cut that is left out costs time only; a cut too
 * many would change the meaning, so in doubt there is none. Blank lines belong to what follows them.
 * Pure: text to positions. Called by `stream.ts`.
 */

import {
  beginsWithLetter,
  closesFence,
  fenceOpening,
  htmlStart,
  indentOf,
  isBlank,
  isDefinition,
  isHeading,
  isInterruptingItem,
  isQuote,
  isRule,
  isSetextLine,
  listItemKind,
  nestedFenceOpening,
  startsMath,
  tagBalance
} from './line_kinds.js';
import type { FenceOpening, HtmlEnd } from './line_kinds.js';
import { mathAfter } from './math.js';

export type BlockKind =
  | 'paragraph'
  | 'heading'
  | 'rule'
  | 'fence'
  | 'math'
  | 'list'
  | 'quote'
  | 'html'
  | 'indented'
  | 'definition';

/** A stretch of the text, from `start` to `end`. */
export interface Block {
  readonly kind: BlockKind;
  readonly start: number;
  readonly end: number;
  /** Of a fence: how it was opened. */
  readonly fence: FenceOpening | null;
}

/** What a line does to the block that is open. */
type Verdict = 'goes-on' | 'was-last' | 'is-next';

interface OpenBlock {
  kind: BlockKind;
  /** Behind the last line that is not blank. */
  contentEnd: number;
  fence: FenceOpening | null;
  /** A fence inside of a list. */
  nestedFence: FenceOpening | null;
  /** What closes the formula that is open, or ''. */
  mathEnd: string;
  isOrdered: boolean;
  hasBlankBehind: boolean;
  html: HtmlEnd | null;
  depth: number;
}

function isHtmlDone(open: OpenBlock, line: string): boolean {
  if (open.html?.kind === 'mark') {
    return line.toLowerCase().includes(open.html.mark);
  }
  if (open.html?.kind === 'container') {
    open.depth += tagBalance(line, open.html.tag);
    return open.depth <= 0;
  }
  return false;
}

function newBlock(line: string): OpenBlock {
  const fence = fenceOpening(line);
  const html = htmlStart(line);
  const item = listItemKind(line);
  let kind: BlockKind = 'paragraph';
  if (fence !== null) {
    kind = 'fence';
  } else if (indentOf(line) >= 4) {
    kind = 'indented';
  } else if (isHeading(line)) {
    kind = 'heading';
  } else if (isRule(line)) {
    kind = 'rule';
  } else if (startsMath(line)) {
    kind = 'math';
  } else if (item !== null) {
    kind = 'list';
  } else if (isQuote(line)) {
    kind = 'quote';
  } else if (html !== null) {
    kind = 'html';
  } else if (isDefinition(line)) {
    kind = 'definition';
  }
  return {
    kind,
    contentEnd: 0,
    fence: kind === 'fence' ? fence : null,
    nestedFence: kind === 'list' ? nestedFenceOpening(line) : null,
    mathEnd: kind === 'fence' || kind === 'indented' ? '' : mathAfter(line, ''),
    isOrdered: item === 'ordered',
    hasBlankBehind: false,
    html: kind === 'html' ? html : null,
    depth: 0
  };
}

/** What the first line of a block says about its end. */
function judgeFirstLine(open: OpenBlock, line: string): Verdict {
  switch (open.kind) {
    case 'heading':
    case 'rule':
      return 'was-last';
    case 'math':
      if (open.mathEnd !== '') {
        return 'goes-on';
      }
      open.kind = 'paragraph';
      return 'goes-on';
    case 'html':
      return isHtmlDone(open, line) && open.html?.kind === 'mark' ? 'was-last' : 'goes-on';
    default:
      return 'goes-on';
  }
}

function interruptsParagraph(line: string): boolean {
  return (
    fenceOpening(line) !== null ||
    isHeading(line) ||
    isRule(line) ||
    isQuote(line) ||
    isInterruptingItem(line) ||
    htmlStart(line) !== null ||
    startsMath(line)
  );
}

function judgeParagraph(open: OpenBlock, line: string): Verdict {
  if (isBlank(line)) {
    return 'is-next';
  }
  if (open.mathEnd === '') {
    if (isSetextLine(line)) {
      return 'was-last';
    }
    if (interruptsParagraph(line)) {
      return 'is-next';
    }
  }
  open.mathEnd = mathAfter(line, open.mathEnd);
  return 'goes-on';
}

function judgeMath(open: OpenBlock, line: string): Verdict {
  if (isBlank(line)) {
    return 'is-next';
  }
  const closing = open.mathEnd;
  open.mathEnd = mathAfter(line, closing);
  if (open.mathEnd !== '') {
    return 'goes-on';
  }
  if (line.trimEnd().endsWith(closing)) {
    return 'was-last';
  }
  // What else stands behind a closed formula is a paragraph's.
  open.kind = 'paragraph';
  return 'goes-on';
}

function judgeList(open: OpenBlock, line: string): Verdict {
  if (open.nestedFence !== null) {
    if (closesFence(line, open.nestedFence)) {
      open.nestedFence = null;
    }
    return 'goes-on';
  }
  if (isBlank(line)) {
    open.mathEnd = '';
    return 'goes-on';
  }
  const item = listItemKind(line);
  const isInside = indentOf(line) >= 2;
  if (open.mathEnd === '' && !isInside) {
    const isOtherList =
      item !== null &&
      (item === 'ordered') !== open.isOrdered &&
      (open.hasBlankBehind || isInterruptingItem(line));
    if (isOtherList || (item === null && (open.hasBlankBehind || interruptsParagraph(line)))) {
      return 'is-next';
    }
  }
  if (isInside || item !== null) {
    open.nestedFence = nestedFenceOpening(line);
  }
  if (open.nestedFence === null) {
    open.mathEnd = mathAfter(line, open.mathEnd);
  }
  return 'goes-on';
}

function judgeHtml(open: OpenBlock, line: string): Verdict {
  if (open.html?.kind === 'mark') {
    return isHtmlDone(open, line) ? 'was-last' : 'goes-on';
  }
  if (isBlank(line) && (open.html?.kind !== 'container' || open.depth <= 0)) {
    return 'is-next';
  }
  isHtmlDone(open, line);
  return 'goes-on';
}

function judge(open: OpenBlock, line: string): Verdict {
  switch (open.kind) {
    case 'fence':
      return open.fence !== null && indentOf(line) < 4 && closesFence(line, open.fence)
        ? 'was-last'
        : 'goes-on';
    case 'math':
      return judgeMath(open, line);
    case 'list':
      return judgeList(open, line);
    case 'html':
      return judgeHtml(open, line);
    case 'indented':
      return isBlank(line) || indentOf(line) >= 4 ? 'goes-on' : 'is-next';
    case 'quote':
      return isBlank(line) || (!isQuote(line) && interruptsParagraph(line)) ? 'is-next' : 'goes-on';
    default:
      return judgeParagraph(open, line);
  }
}

/** The blocks of a text that grows at its end. */
export class BlockSplitter {
  /** Blocks that never change any more, in order and without gaps. */
  get frozen(): readonly Block[] {
    return this._frozen;
  }

  /** What is behind the frozen blocks; its kind is that of the block that is open in it. */
  get tail(): Block {
    const start = this._frozenEnd;
    return {
      kind: this._open?.kind ?? 'paragraph',
      start,
      end: this._length,
      fence: this._open?.fence ?? null
    };
  }

  /** Take the text as it is now; what was there before is its beginning. */
  update(text: string): void {
    this._length = text.length;
    for (;;) {
      const newline = text.indexOf('\n', this._position);
      if (newline < 0) {
        break;
      }
      this._takeLine(text.slice(this._position, newline), newline + 1);
    }
    const partial = text.slice(this._position);
    const open = this._open;
    const isOver =
      open !== null &&
      open.hasBlankBehind &&
      (open.kind === 'indented' || (open.kind === 'list' && open.nestedFence === null));
    if (isOver && open.mathEnd === '' && beginsWithLetter(partial)) {
      this._freeze(open, open.contentEnd);
    }
  }

  /** Freeze everything: no more text comes. */
  finish(text: string): void {
    this.update(text);
    if (this._position < text.length) {
      this._takeLine(text.slice(this._position), text.length);
    }
    if (this._open !== null) {
      this._freeze(this._open, text.length);
    } else if (this._frozenEnd < text.length) {
      this._push({ kind: 'paragraph', start: this._frozenEnd, end: text.length, fence: null });
    }
  }

  private _takeLine(rawLine: string, end: number): void {
    const line = rawLine.endsWith('\r') ? rawLine.slice(0, -1) : rawLine;
    this._position = end;
    let verdict: Verdict = 'is-next';
    if (this._open !== null) {
      verdict = judge(this._open, line);
      if (verdict === 'is-next') {
        this._freeze(this._open, this._open.contentEnd);
      }
    }
    if (verdict === 'is-next') {
      if (isBlank(line)) {
        return;
      }
      this._open = newBlock(line);
      verdict = judgeFirstLine(this._open, line);
    }
    const open = this._open;
    if (open === null) {
      return;
    }
    open.hasBlankBehind = isBlank(line);
    if (!open.hasBlankBehind || open.kind === 'fence' || open.kind === 'html') {
      open.contentEnd = end;
    }
    if (verdict === 'was-last') {
      this._freeze(open, end);
    }
  }

  private _freeze(open: OpenBlock, end: number): void {
    this._push({ kind: open.kind, start: this._frozenEnd, end, fence: open.fence });
    this._open = null;
  }

  private _push(block: Block): void {
    this._frozen.push(block);
    this._frozenEnd = block.end;
  }

  private readonly _frozen: Block[] = [];
  private _frozenEnd = 0;
  /** Start of the first line that was not taken. */
  private _position = 0;
  private _length = 0;
  private _open: OpenBlock | null = null;
}

/** All blocks of a text that does not grow any more. */
export function splitBlocks(text: string): readonly Block[] {
  const splitter = new BlockSplitter();
  splitter.finish(text);
  return splitter.frozen;
}

/** What stands between the fences of a block of code. */
export function codeOf(blockText: string, fence: FenceOpening, isClosed: boolean): string {
  const lines = blockText.replace(/\r\n?/g, '\n').replace(/^(?:[ \t]*\n)+/, '').split('\n');
  lines.shift();
  if (isClosed) {
    while (lines.length > 0 && isBlank(lines[lines.length - 1] ?? '')) {
      lines.pop();
    }
    if (closesFence(lines[lines.length - 1] ?? '', fence)) {
      lines.pop();
    }
  } else if (/^ {0,3}[`~]+$/.test(lines[lines.length - 1] ?? '')) {
    // It may become the closing fence.
    lines.pop();
  }
  const lead = new RegExp(`^ {0,${fence.indent}}`);
  return lines.map(line => line.replace(lead, '')).join('\n');
}
