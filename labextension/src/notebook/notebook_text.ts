/**
 * A notebook as one bounded text: numbered cells, shortened outputs, centred on the active cell.
 *
 * Pure. Cells are counted from 1 in their order, because Markdown cells have no execution count.
 */

import { describeOutputs } from './output_text.js';
import { boundText } from './text_bounds.js';
import type { BoundText } from './text_bounds.js';

/** One cell, as far as it is described. */
export interface CellText {
  readonly type: string;
  readonly source: string;
  readonly executionCount: number | null;
  readonly outputs: readonly unknown[];
}

const OUTPUT_CHARACTERS = 500;
const ACTIVE_OUTPUT_CHARACTERS = 2_000;

/** `[3]`: how a cell is named in labels and in texts. */
export function cellNumber(index: number): string {
  return `[${index + 1}]`;
}

function describeCell(cell: CellText, index: number, isActive: boolean, limit: number): BoundText {
  const facts = [cell.type];
  if (cell.executionCount !== null) {
    facts.push(`In [${cell.executionCount}]`);
  }
  if (isActive) {
    facts.push('active');
  }
  const head = `${cellNumber(index)} ${facts.join(', ')}`;
  const source = boundText(cell.source, Math.max(80, limit - head.length - 1));
  const wanted = isActive ? ACTIVE_OUTPUT_CHARACTERS : OUTPUT_CHARACTERS;
  const room = Math.min(wanted, Math.max(80, limit - source.text.length));
  const outputs = describeOutputs(cell.outputs, room);
  const lines = [head];
  if (source.text !== '') {
    lines.push(source.text);
  }
  if (outputs.text !== '') {
    lines.push('--- output:', outputs.text);
  }
  return { text: lines.join('\n'), isTruncated: source.isTruncated || outputs.isTruncated };
}

function leftOut(first: number, last: number): string {
  const which = first === last ? cellNumber(first) : `${cellNumber(first)} to ${cellNumber(last)}`;
  return `… ${which} left out …`;
}

const SEPARATOR = '\n\n';
/** Room for the two notes about cells that are left out. */
const NOTES_CHARACTERS = 80;

/** The cells from `first` to `last` as texts. */
interface Taken {
  readonly first: number;
  readonly last: number;
  readonly texts: readonly BoundText[];
}

/** From one cell on, take the nearest ones in turn, what stands above first, while they fit. */
function takeAround(
  nCells: number,
  centre: number,
  limit: number,
  describe: (index: number, limit: number) => BoundText
): Taken {
  const above: BoundText[] = [];
  const below = [describe(centre, Math.floor(limit / 2))];
  let room = limit - NOTES_CHARACTERS - (below[0]?.text.length ?? 0);
  const take = (index: number, side: BoundText[]): boolean => {
    if (index < 0 || index >= nCells) {
      return false;
    }
    const text = describe(index, Math.floor(limit / 4));
    const size = text.text.length + SEPARATOR.length;
    if (size > room) {
      return false;
    }
    room -= size;
    side.push(text);
    return true;
  };
  let canGrowUp = true;
  let canGrowDown = true;
  while (canGrowUp || canGrowDown) {
    canGrowUp &&= take(centre - above.length - 1, above);
    canGrowDown &&= take(centre + below.length, below);
  }
  return {
    first: centre - above.length,
    last: centre + below.length - 1,
    texts: [...above.reverse(), ...below]
  };
}

/**
 * Describe a notebook in at most `limit` characters (a few hundred at least).
 *
 * Where it is longer, the cells around the active one are kept and the others named.
 */
export function describeNotebook(
  cells: readonly CellText[],
  activeIndex: number,
  limit: number
): BoundText {
  if (cells.length === 0) {
    return { text: '', isTruncated: false };
  }
  const centre = Math.min(Math.max(activeIndex, 0), cells.length - 1);
  const { first, last, texts } = takeAround(cells.length, centre, limit, (index, share) => {
    const cell = cells[index];
    return cell === undefined
      ? { text: '', isTruncated: false }
      : describeCell(cell, index, index === activeIndex, share);
  });
  const parts = texts.map(part => part.text);
  if (first > 0) {
    parts.unshift(leftOut(0, first - 1));
  }
  if (last < cells.length - 1) {
    parts.push(leftOut(last + 1, cells.length - 1));
  }
  const isTruncated = parts.length > texts.length || texts.some(part => part.isTruncated);
  return { text: parts.join(SEPARATOR), isTruncated };
}
