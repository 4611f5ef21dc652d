/**
 * A chat as a tree of messages, and the one branch of it that is shown.
 *
 * Pure: records in, lists out. Called by `model_chat.ts`.
 */

import type { MessageRecord } from '../chat_protocol';
import type { ShownMessage } from './state';

/** The children of every message, oldest first; the first messages have the parent `null`. */
export type Children = ReadonlyMap<string | null, readonly MessageRecord[]>;

/**
 * Group messages by their parent. One whose parent is unknown counts as a first message, so that a
 * damaged chat hides nothing.
 */
export function childrenOf(records: ReadonlyMap<string, MessageRecord>): Children {
  const children = new Map<string | null, MessageRecord[]>();
  for (const record of records.values()) {
    const { parentId: wanted } = record;
    const parentId = wanted !== null && records.has(wanted) ? wanted : null;
    const siblings = children.get(parentId);
    if (siblings === undefined) {
      children.set(parentId, [record]);
    } else {
      siblings.push(record);
    }
  }
  return children;
}

/** The newest message below `id` (or of the chat), going to the newest child at each step. */
export function newestLeaf(children: Children, id: string | null): string | null {
  let leaf = id;
  const seen = new Set<string | null>();
  for (;;) {
    const next = children.get(leaf)?.at(-1);
    if (next === undefined || seen.has(leaf)) {
      return leaf;
    }
    seen.add(leaf);
    leaf = next.messageId;
  }
}

/** The branch from the first message to `leafId`. */
export function branchTo(
  records: ReadonlyMap<string, MessageRecord>,
  leafId: string | null
): readonly MessageRecord[] {
  const branch: MessageRecord[] = [];
  const seen = new Set<string>();
  let next = leafId === null ? undefined : records.get(leafId);
  while (next !== undefined && !seen.has(next.messageId)) {
    seen.add(next.messageId);
    branch.push(next);
    next = next.parentId === null ? undefined : records.get(next.parentId);
  }
  return branch.reverse();
}

/**
 * The branch as it is shown. What has not changed since `before` keeps its identity, so that a
 * component of it is not painted again.
 */
export function showBranch(
  branch: readonly MessageRecord[],
  children: Children,
  before: readonly ShownMessage[]
): readonly ShownMessage[] {
  const shownBefore = new Map(before.map(shown => [shown.record.messageId, shown]));
  return Object.freeze(
    branch.map((record, index) => {
      const parentId = index === 0 ? null : record.parentId;
      const siblings = children.get(parentId) ?? [record];
      const siblingIds = siblings.map(sibling => sibling.messageId);
      const siblingIndex = Math.max(0, siblingIds.indexOf(record.messageId));
      const old = shownBefore.get(record.messageId);
      const isSame =
        old?.record === record &&
        old.siblingIndex === siblingIndex &&
        old.siblingIds.length === siblingIds.length &&
        old.siblingIds.every((id, at) => id === siblingIds[at]);
      return isSame ? old : Object.freeze({ record, siblingIndex, siblingIds });
    })
  );
}
