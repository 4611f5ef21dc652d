/**
 * What is attached to the next question, and how many tokens each piece costs.
 *
 * Counts are asked for once for all that is not counted yet. Only the chat model calls it.
 */

import type { ContextItem } from '../chat_protocol';
import type { Chip } from './state';

/** Milliseconds to wait for more chips before counting. */
const COUNT_DELAY_MS = 250;

/** Attachments of one question, as `NewMessage` in `chat_protocol.py` takes them. */
export const MAX_CHIPS = 32;

type CountTokens = (texts: readonly string[]) => Promise<readonly number[]>;

export class Chips {
  /**
   * @param _count - Counts with the model that is chosen now.
   */
  constructor(
    private readonly _count: CountTokens,
    private readonly _newId: () => string,
    private readonly _onChange: () => void
  ) {}

  get list(): readonly Chip[] {
    return this._list;
  }

  /** Attach; false where there are too many. */
  add(item: ContextItem): boolean {
    const old = this._list.find(chip => isSame(chip.item, item));
    if (old === undefined && this._list.length >= MAX_CHIPS) {
      return false;
    }
    const chipId = old?.chipId ?? this._newId();
    const chip: Chip = Object.freeze({ chipId, item, tokens: null });
    this._set(
      old === undefined
        ? [...this._list, chip]
        : this._list.map(other => (other === old ? chip : other))
    );
    this._countLater();
    return true;
  }

  remove(chipId: string): void {
    this._set(this._list.filter(chip => chip.chipId !== chipId));
  }

  /** Take all off; returns them with their counts. */
  take(): readonly ContextItem[] {
    const items = this._list.map(({ item, tokens }) => ({
      ...item,
      tokens: typeof tokens === 'number' ? tokens : null
    }));
    if (items.length > 0) {
      this._set([]);
    }
    return items;
  }

  /** Put back what a question took that was not sent. */
  putBack(items: readonly ContextItem[]): void {
    for (const item of items) {
      if (!this._list.some(chip => isSame(chip.item, item))) {
        this.add(item);
      }
    }
  }

  /** Count again: another model counts otherwise. */
  recount(): void {
    if (this._list.length > 0) {
      this._set(this._list.map(chip => Object.freeze({ ...chip, tokens: null })));
      this._countLater();
    }
  }

  dispose(): void {
    clearTimeout(this._timer);
    this._round += 1;
  }

  private _set(list: readonly Chip[]): void {
    this._list = Object.freeze([...list]);
    this._onChange();
  }

  private _countLater(): void {
    clearTimeout(this._timer);
    this._round += 1;
    this._timer = setTimeout(() => {
      void this._countNow(this._round);
    }, COUNT_DELAY_MS);
  }

  private async _countNow(round: number): Promise<void> {
    const waiting = this._list.filter(chip => chip.tokens === null);
    if (waiting.length === 0) {
      return;
    }
    let counts: readonly number[] = [];
    try {
      counts = await this._count(waiting.map(chip => chip.item.text));
    } catch {
      // Not worth a notice: the chip says that its size is not known.
    }
    if (round !== this._round) {
      return;
    }
    const byId = new Map<string, number | 'unknown'>(
      waiting.map((chip, at) => [chip.chipId, counts[at] ?? 'unknown'])
    );
    this._set(
      this._list.map(chip => {
        const tokens = byId.get(chip.chipId);
        return tokens === undefined ? chip : Object.freeze({ ...chip, tokens });
      })
    );
  }

  private _list: readonly Chip[] = Object.freeze([]);
  private _round = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

/** Equal in what the chip says; its text may have changed since. */
function isSame(a: ContextItem, b: ContextItem): boolean {
  return a.kind === b.kind && a.label === b.label && a.source === b.source;
}
