/**
 * Link definitions (`[name]: address`) of a text, for blocks that stand apart from them.
 *
 * Pure. Called by `stream.ts`.
 */

const DEFINITION = /^ {0,3}\[([^\]^][^\]]*)\]:[ \t]*(\S.*)$/gm;
const USE = /\[([^[\]]+)\]/g;
const MAX_DEFINITIONS = 500;

function normalized(name: string): string {
  return name.trim().replace(/\s+/g, ' ').toLowerCase();
}

/** The definitions seen so far; the first one of a name counts. */
export class Definitions {
  get size(): number {
    return this._lines.size;
  }

  /** Take the definitions out of a block. */
  collect(blockText: string): void {
    for (const match of blockText.matchAll(DEFINITION)) {
      const name = normalized(match[1] ?? '');
      if (!this._lines.has(name) && this._lines.size < MAX_DEFINITIONS) {
        this._lines.set(name, match[0].trim());
      }
    }
  }

  /** The lines that define what a block refers to, in the order of their use. */
  usedBy(blockText: string): readonly string[] {
    if (this._lines.size === 0) {
      return [];
    }
    const used = new Set<string>();
    for (const match of blockText.matchAll(USE)) {
      const line = this._lines.get(normalized(match[1] ?? ''));
      if (line !== undefined) {
        used.add(line);
      }
    }
    return [...used];
  }

  private readonly _lines = new Map<string, string>();
}
