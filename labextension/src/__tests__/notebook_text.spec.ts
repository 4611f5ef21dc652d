/** Outputs, errors and notebooks as bounded text. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { contextItem } from '../notebook/context_items.js';
import { describeNotebook } from '../notebook/notebook_text.js';
import type { CellText } from '../notebook/notebook_text.js';
import { describeError, describeOutputs, lastError } from '../notebook/output_text.js';
import { applyCarriageReturns, boundText, stripAnsi } from '../notebook/text_bounds.js';
import { randomText, seeded } from './seeded.js';

const TRACEBACK = {
  output_type: 'error',
  ename: 'ZeroDivisionError',
  evalue: 'division by zero',
  traceback: [
    '\u001b[0;31m---------\u001b[0m',
    '\u001b[0;32m----> 1\u001b[0m \u001b[38;5;241m1\u001b[39m/0',
    '\u001b[0;31mZeroDivisionError\u001b[0m: division by zero'
  ]
};

describe('text bounds', () => {
  it('takes terminal sequences out', () => {
    assert.equal(stripAnsi('\u001b[1;31mred\u001b[0m \u001b]8;;http://x\u0007link\u001b]8;;\u001b\\!'), 'red link!');
  });

  it('shows of a progress bar what a terminal would', () => {
    assert.equal(applyCarriageReturns('a\r\n10%\r50%\r100%\r\nend\r'), 'a\n100%\nend');
  });

  it('leaves the middle out within the limit, at whole characters, and says so', () => {
    const random = seeded(3);
    for (let round = 0; round < 1_000; round++) {
      const text = randomText(random, ['😀', 'a', '\n', '文字'], 200);
      const limit = 60 + Math.floor(random() * 100);
      const bound = boundText(text, limit);
      assert.equal(bound.isTruncated, text.length > limit);
      assert.ok(bound.text.length <= Math.max(limit, text.length > limit ? limit : text.length));
      assert.doesNotMatch(bound.text, /\p{Surrogate}/u);
    }
  });

  it('keeps every limit of an attachment', () => {
    const item = contextItem({
      kind: 'cell',
      label: 'l'.repeat(400),
      text: `\ud800${'x'.repeat(200_000)}`,
      source: 's'.repeat(3_000),
      language: 'p'.repeat(60)
    });
    assert.ok(item.text.length <= 100_000 && item.isTruncated);
    assert.deepEqual([item.label.length, item.source.length, item.language.length], [300, 2_000, 40]);
    assert.doesNotMatch(item.text, /\p{Surrogate}/u);
  });
});

describe('outputs', () => {
  it('shows streams, results and errors; names what is not sent', () => {
    const outputs = [
      { output_type: 'stream', name: 'stdout', text: ['a\n', '\u001b[32mb\u001b[0m\n'] },
      { output_type: 'execute_result', data: { 'text/html': '<b>', 'text/plain': '42' } },
      { output_type: 'display_data', data: { 'image/png': 'AAAA', 'text/plain': '<Figure>' } },
      { output_type: 'display_data', data: { 'application/vnd.x+json': {} } },
      TRACEBACK,
      null,
      { output_type: 'stream' },
      { output_type: 'display_data', data: [] }
    ];
    assert.equal(
      describeOutputs(outputs, 10_000).text,
      'a\nb\n42\n[image/png not sent]\n<Figure>\n[application/vnd.x+json not sent]\n' +
        '---------\n----> 1 1/0\nZeroDivisionError: division by zero'
    );
  });

  it('takes the last error', () => {
    const earlier = { ...TRACEBACK, ename: 'First' };
    assert.equal(lastError([earlier, TRACEBACK, { output_type: 'stream', text: 'x' }])?.name, 'ZeroDivisionError');
    assert.equal(lastError([{ output_type: 'stream', text: 'x' }]), null);
  });

  it('keeps the end of a long traceback', () => {
    const error = {
      name: 'RecursionError',
      message: 'too deep',
      traceback: `${'frame\n'.repeat(5_000)}RecursionError: too deep`
    };
    const { text, isTruncated } = describeError(error, 2_000);
    assert.ok(isTruncated && text.length <= 2_000);
    assert.ok(text.startsWith('frame\n') && text.endsWith('\nRecursionError: too deep'));
    const other = describeError({ ...error, message: 'deeper' }, 2_000);
    assert.ok(other.isTruncated && other.text.length <= 2_000);
    assert.ok(other.text.startsWith('RecursionError: deeper\nframe\n'));
    const long = describeError({ name: 'E', message: 'm'.repeat(50_000), traceback: 'tb' }, 1_000);
    assert.ok(long.isTruncated && long.text.length <= 1_000);
  });
});

function code(source: string, executionCount: number | null = null, outputs: unknown[] = []): CellText {
  return { type: 'code', source, executionCount, outputs };
}

describe('describeNotebook', () => {
  it('numbers cells and shows their outputs', () => {
    const cells = [
      { type: 'markdown', source: '# Title', executionCount: null, outputs: [] },
      code('1 + 1', 4, [{ output_type: 'execute_result', data: { 'text/plain': '2' } }]),
      code('')
    ];
    assert.deepEqual(describeNotebook(cells, 1, 5_000), {
      text: '[1] markdown\n# Title\n\n[2] code, In [4], active\n1 + 1\n--- output:\n2\n\n[3] code',
      isTruncated: false
    });
  });

  it('shortens outputs', () => {
    const output = { output_type: 'stream', text: 'x'.repeat(50_000) };
    const { text, isTruncated } = describeNotebook([code('a'), code('b', 1, [output])], 0, 50_000);
    assert.ok(isTruncated && text.length < 1_000);
  });

  it('keeps the cells around the active one and names the others', () => {
    const cells = Array.from({ length: 100 }, (_, index) => code(`cell ${index + 1} ${'y'.repeat(90)}`));
    const { text, isTruncated } = describeNotebook(cells, 49, 1_200);
    assert.ok(isTruncated && text.length <= 1_200);
    assert.match(text, /\[50\] code, active\ncell 50 /);
    assert.match(text, /^… \[1\] to \[\d+\] left out …/);
    assert.match(text, /… \[\d+\] to \[100\] left out …$/);
    const shown = [...text.matchAll(/^\[(\d+)\] code/gm)].map(match => Number(match[1]));
    assert.deepEqual(shown, Array.from({ length: shown.length }, (_, index) => (shown[0] ?? 0) + index));
    assert.ok(shown.includes(49) && shown.includes(51));
  });

  it('never exceeds its limit and never loses the active cell', () => {
    const random = seeded(11);
    for (let round = 0; round < 500; round++) {
      const cells = Array.from({ length: 1 + Math.floor(random() * 30) }, () =>
        code(randomText(random, ['word ', '\n', '😀', 'x'.repeat(200)], 30), 1, [
          { output_type: 'stream', text: randomText(random, ['out\n', 'z'.repeat(300)], 20) }
        ])
      );
      const active = Math.floor(random() * cells.length);
      const limit = 1_000 + Math.floor(random() * 5_000);
      const { text } = describeNotebook(cells, active, limit);
      assert.ok(text.length <= limit, `${text.length} > ${limit}`);
      assert.ok(text.includes(`[${active + 1}] code, In [1], active`));
    }
  });

  it('is empty for a notebook without cells', () => {
    assert.deepEqual(describeNotebook([], 0, 1_000), { text: '', isTruncated: false });
  });
});
