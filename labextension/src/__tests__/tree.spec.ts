/** A chat as a tree: branches, siblings, and what a damaged chat shows. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { branchTo, childrenOf, newestLeaf, showBranch } from '../chat/tree.js';
import type { MessageRecord } from '../chat_protocol';
import { BLANK_MESSAGE } from './fake_chat_server.js';

/** Messages from `id<parent`, in the order in which they were made. */
function treeOf(...edges: string[]): Map<string, MessageRecord> {
  return new Map(
    edges.map((edge, index) => {
      const [messageId = '', parentId = null] = edge.split('<');
      const role = index % 2 === 0 ? 'user' : 'assistant';
      // Clocks go back now and then; the order is what counts.
      return [messageId, { ...BLANK_MESSAGE, messageId, parentId, role, createdMs: -index }];
    })
  );
}

function ids(records: readonly MessageRecord[]): string {
  return records.map(({ messageId }) => messageId).join(' ');
}

const TREE = treeOf('q1', 'a1<q1', 'q2<a1', 'a2<q2', 'q1b', 'a1b<q1b', 'a1c<q1b', 'q2b<a1');

describe('tree', () => {
  it('goes to the newest leaf', () => {
    const children = childrenOf(TREE);
    assert.equal(newestLeaf(children, 'q1'), 'q2b');
    assert.equal(newestLeaf(children, 'q2'), 'a2');
    assert.equal(newestLeaf(children, null), 'a1c');
    assert.equal(newestLeaf(childrenOf(new Map()), null), null);
  });

  it('finds the branch to a message', () => {
    assert.equal(ids(branchTo(TREE, 'a2')), 'q1 a1 q2 a2');
    assert.equal(ids(branchTo(TREE, 'a1c')), 'q1b a1c');
    assert.equal(ids(branchTo(TREE, null)), '');
    assert.equal(ids(branchTo(TREE, 'nobody')), '');
  });

  it('numbers siblings in the order in which they were made', () => {
    const shown = showBranch(branchTo(TREE, 'a1b'), childrenOf(TREE), []);
    assert.deepEqual(
      shown.map(({ siblingIndex, siblingIds }) => [siblingIndex, siblingIds.join(' ')]),
      [
        [1, 'q1 q1b'],
        [0, 'a1b a1c']
      ]
    );
  });

  it('keeps what has not changed, and only that', () => {
    const before = showBranch(branchTo(TREE, 'a1b'), childrenOf(TREE), []);
    const more = new Map(TREE);
    more.set('a1d', { ...BLANK_MESSAGE, messageId: 'a1d', parentId: 'q1b', role: 'assistant' });
    const after = showBranch(branchTo(more, 'a1b'), childrenOf(more), before);
    assert.equal(after[0], before[0]);
    assert.notEqual(after[1], before[1]);
    assert.equal(after[1]?.siblingIds.length, 3);
  });

  it('shows messages whose parent is missing, and ends in a ring', () => {
    const broken = treeOf('a<gone', 'b<a', 'x<y', 'y<x');
    assert.equal(newestLeaf(childrenOf(broken), null), 'b');
    assert.equal(ids(branchTo(broken, 'b')), 'a b');
    assert.equal(branchTo(broken, 'x').length, 2);
    assert.ok(newestLeaf(childrenOf(broken), 'x') !== null);
  });
});
