/**
 * The sentences over the conversation. One of a kind replaces its predecessor.
 *
 * Only the chat model calls it.
 */

import type { Notice } from './state';

/** Notices kept at a time; the oldest goes first. */
const MAX_NOTICES = 5;

export class Notices {
  constructor(private readonly _onChange: () => void) {}

  get list(): readonly Notice[] {
    return this._list;
  }

  /**
   * Show a notice.
   *
   * @param kind - Notices of one kind replace each other; without one, equal ones do.
   */
  add(notice: Omit<Notice, 'noticeId'>, kind = ''): string {
    this._count += 1;
    const noticeId = kind === '' ? `notice-${this._count}` : kind;
    const others = this._list.filter(
      other => other.noticeId !== noticeId && (kind !== '' || !isEqual(other, notice))
    );
    this._list = Object.freeze([...others, Object.freeze({ ...notice, noticeId })].slice(-MAX_NOTICES));
    this._onChange();
    return noticeId;
  }

  dismiss(noticeId: string): void {
    if (this._list.some(notice => notice.noticeId === noticeId)) {
      this._list = Object.freeze(this._list.filter(notice => notice.noticeId !== noticeId));
      this._onChange();
    }
  }

  private _count = 0;
  private _list: readonly Notice[] = Object.freeze([]);
}

function isEqual(a: Notice, b: Omit<Notice, 'noticeId'>): boolean {
  return a.message === b.message && a.hint === b.hint && !a.action && !b.action;
}
