/**
 * Two sources, compared line by line.
 *
 * The longest common subsequence of lines, by the usual table; what is too long for the table is
 * told as taken out and put in. Pure.
 */

export interface DifferentLine {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** Cells of the table; diagrams have tens of lines. */
const MAX_CELLS = 1_000_000;

function linesOf(text: string): readonly string[] {
  return text.replace(/\r\n?/g, '\n').replace(/\n+$/, '').split('\n');
}

function signed(sign: ' ' | '-' | '+', lines: readonly string[]): readonly DifferentLine[] {
  return lines.map(text => ({ sign, text }));
}

/** `table[i][j]`: lines that `before` from `i` on and `after` from `j` on have in common. */
function commonLengths(before: readonly string[], after: readonly string[]): readonly number[][] {
  const table = Array.from({ length: before.length + 1 }, () =>
    new Array<number>(after.length + 1).fill(0)
  );
  for (let i = before.length - 1; i >= 0; i -= 1) {
    const row = table[i] ?? [];
    const below = table[i + 1] ?? [];
    for (let j = after.length - 1; j >= 0; j -= 1) {
      row[j] =
        before[i] === after[j]
          ? 1 + (below[j + 1] ?? 0)
          : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return table;
}

/** What became of `before`: its lines in order, with what was taken out and put in. */
export function differenceOf(before: string, after: string): readonly DifferentLine[] {
  const old = linesOf(before);
  const now = linesOf(after);
  if (old.length * now.length > MAX_CELLS) {
    return [...signed('-', old), ...signed('+', now)];
  }
  const table = commonLengths(old, now);
  const lines: DifferentLine[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length && j < now.length) {
    if (old[i] === now[j]) {
      lines.push({ sign: ' ', text: old[i] ?? '' });
      i += 1;
      j += 1;
    } else if ((table[i + 1]?.[j] ?? 0) >= (table[i]?.[j + 1] ?? 0)) {
      lines.push({ sign: '-', text: old[i] ?? '' });
      i += 1;
    } else {
      lines.push({ sign: '+', text: now[j] ?? '' });
      j += 1;
    }
  }
  return [...lines, ...signed('-', old.slice(i)), ...signed('+', now.slice(j))];
}
