/**
 * `/commands`: which there are, and what a typed line means.
 *
 * Pure. A line is a command only if its first character is a slash that is followed by one word;
 * `/usr/bin/x` and `/ 2` are text, and so is a line with a space before its slash.
 */

/** What the commands do, without their aliases. */
export const COMMAND_NAMES = [
  'help',
  'new',
  'clear',
  'explain',
  'fix',
  'generate',
  'export',
  'model',
  'system'
] as const;

export type CommandName = (typeof COMMAND_NAMES)[number];

/** Names from other Jupyter assistants that mean one of ours. */
export const COMMAND_ALIASES: ReadonlyMap<string, CommandName> = new Map([
  ['newnotebook', 'generate'],
  ['newpythonfile', 'generate']
]);

export type ParsedLine =
  | { readonly kind: 'text' }
  | { readonly kind: 'command'; readonly name: CommandName; readonly rest: string }
  | { readonly kind: 'unknown'; readonly word: string; readonly nearest: CommandName };

const COMMAND = /^\/([\p{L}][\p{L}\p{N}_-]*)(?:\s+([\s\S]*))?$/u;

/** Edits that make one word of the other: insert, delete, replace, swap neighbours. */
export function editDistance(first: string, second: string): number {
  const columns = second.length + 1;
  let previous: number[] = [];
  let current = Array.from({ length: columns }, (_, index) => index);
  for (let row = 1; row <= first.length; row++) {
    const beforePrevious = previous;
    previous = current;
    current = [row];
    for (let column = 1; column < columns; column++) {
      const isSame = first.charAt(row - 1) === second.charAt(column - 1);
      const isSwap =
        row > 1 &&
        column > 1 &&
        first.charAt(row - 1) === second.charAt(column - 2) &&
        first.charAt(row - 2) === second.charAt(column - 1);
      current.push(
        Math.min(
          (previous[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (previous[column - 1] ?? 0) + (isSame ? 0 : 1),
          isSwap ? (beforePrevious[column - 2] ?? 0) + 1 : Infinity
        )
      );
    }
  }
  return current[columns - 1] ?? 0;
}

/** The one of `words` that `word` was most likely meant to be; the first of equals. */
export function nearestWord<Word extends string>(word: string, words: readonly [Word, ...Word[]]): Word {
  const wanted = word.slice(0, 60).toLowerCase();
  const cost = (candidate: string): number => {
    const name = candidate.toLowerCase();
    // A beginning was meant more often than another word of the same length.
    return editDistance(wanted, name) - (name.startsWith(wanted) ? name.length : 0);
  };
  return words.reduce((best, candidate) => (cost(candidate) < cost(best) ? candidate : best), words[0]);
}

/** What a submitted text means. */
export function parseLine(text: string): ParsedLine {
  const match = COMMAND.exec(text);
  const word = match?.[1];
  if (word === undefined) {
    return { kind: 'text' };
  }
  const wanted = word.toLowerCase();
  const name = COMMAND_NAMES.find(known => known === wanted) ?? COMMAND_ALIASES.get(wanted);
  return name === undefined
    ? { kind: 'unknown', word, nearest: nearestWord(word, COMMAND_NAMES) }
    : { kind: 'command', name, rest: (match?.[2] ?? '').trim() };
}
