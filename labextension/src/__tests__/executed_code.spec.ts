/** What of a run's outputs a cell keeps in its metadata. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { JSONRecord } from '../guards.js';
import { executedCode, keepExecutedCode } from '../notebook/executed_code.js';
import type { CellWithOutputs, Outputs } from '../notebook/executed_code.js';

const RUN = { code: 'print(1)', model: 'starter', seed: 7, attempt: 2, run_s: 0.01 };

function outputs(...facts: unknown[]): Outputs {
  const all = facts.map(each => ({
    metadata: each === undefined ? {} : { jupyter_localllm: each }
  }));
  return {
    length: all.length,
    get: index => {
      const output = all[index];
      assert.ok(output);
      return output;
    }
  };
}

class FakeCell implements CellWithOutputs {
  readonly metadata = new Map<string, unknown>([['tags', ['mine']]]);
  nWrites = 0;

  constructor(public outputs: Outputs) {}

  getMetadata(key: string): unknown {
    return this.metadata.get(key);
  }

  setMetadata(key: string, value: JSONRecord): void {
    this.nWrites += 1;
    this.metadata.set(key, value);
  }

  deleteMetadata(key: string): void {
    this.nWrites += 1;
    this.metadata.delete(key);
  }
}

describe('executedCode', () => {
  it('tells the code with model and seed, not the rest of the facts', () => {
    const facts = { ...RUN, is_executed: true, usage: { completion_tokens: 3 }, timings: {} };
    assert.deepEqual(executedCode(outputs(undefined, facts, undefined)), RUN);
  });

  it('tells of the last attempt, also where that failed', () => {
    const first = { ...RUN, attempt: 1, is_executed: true, error: 'NameError: x' };
    const last = { ...RUN, is_executed: true, error: 'ValueError: y' };
    assert.deepEqual(executedCode(outputs(first, last)), { ...RUN, error: 'ValueError: y' });
  });

  const none: [string, unknown[]][] = [
    ['no outputs', []],
    ['outputs of others', [undefined, undefined]],
    ['an answer', [{ model: 'starter', seed: 7 }]],
    ['code that was only shown', [RUN]],
    ['code that was refused', [{ ...RUN, is_executed: false }]],
    ['other things under our name', ['is_executed', 7, null, [true]]]
  ];
  for (const [name, facts] of none) {
    it(`finds nothing in ${name}`, () => {
      assert.equal(executedCode(outputs(...facts)), null);
    });
  }
});

describe('keepExecutedCode', () => {
  it('keeps the newest run beside what others keep', () => {
    const cell = new FakeCell(outputs({ ...RUN, is_executed: true }));
    keepExecutedCode(cell);
    assert.deepEqual(Object.fromEntries(cell.metadata), {
      tags: ['mine'],
      jupyter_localllm: { executed: RUN }
    });
  });

  it('forgets what a newer run did not do', () => {
    const cell = new FakeCell(outputs({ ...RUN, is_executed: true }));
    keepExecutedCode(cell);
    cell.outputs = outputs(undefined);
    keepExecutedCode(cell);
    assert.deepEqual([...cell.metadata.keys()], ['tags']);
  });

  it('writes nothing into a cell that has nothing of ours', () => {
    const cell = new FakeCell(outputs(undefined));
    keepExecutedCode(cell);
    assert.equal(cell.nWrites, 0);
  });
});
