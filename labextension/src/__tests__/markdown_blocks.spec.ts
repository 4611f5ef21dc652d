/** Cutting Markdown into blocks: nothing is lost, and what is frozen never changes. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { BlockSplitter, codeOf, splitBlocks } from '../chat/markdown/blocks.js';
import type { Block } from '../chat/markdown/blocks.js';
import { pauseAfter } from '../chat/markdown/pacing.js';
import { Definitions } from '../chat/markdown/references.js';
import { splitThinking } from '../chat/markdown/thinking.js';

function kinds(text: string): string[] {
  return splitBlocks(text).map(({ kind }) => kind);
}

function pieces(text: string): string[] {
  return splitBlocks(text).map(({ start, end }) => text.slice(start, end));
}

const ANSWER = [
  '# Title\n\nA paragraph\nof two lines.\nSetext\n---\n',
  '\n- one\n\n  more of one\n\n- two\n  ```python\n  a = 1\n\n  b = 2\n  ```\n\n1. first\n2. second\n\n3. third\n',
  '\nText at the margin.\n\n```python\nprint("```")\n\n# no heading\n```\n~~~\ntilde\n```\n~~~\n',
  '\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n$$\na\n- b\n= c\n$$\n\n\\[ x^2 \\]\n\n\\begin{align}\na &= b\n\\end{align}\n',
  '\n> a quote\n> of two\nlazy\n\n***\n\n    indented\n\n    code\n\n',
  '<details>\n<summary>More</summary>\n\nInside\n\n</details>\n\n<!-- a\n\ncomment -->\n\n',
  'See [docs][1] and $x$.\n\n[1]: https://example.org\n\nwindows\r\nlines\r\n\r\n- item\r\n'
].join('');

/** A generator of its own, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

const BITS = ['\n', '\n\n', '- ', '1. ', '2. ', '```', '~~~', '> ', '# ', '$$', '\\[', '\\]', '  ', '    '];
const MORE = ['word ', 'ü', '😀', '---', '***', '|', '<div>', '</div>', '<!--', '-->', '[a]: b', '\r\n', '\t', '`'];

function scribble(seed: number): string {
  const next = random(seed);
  const all = [...BITS, ...MORE];
  return Array.from({ length: 60 }, () => all[Math.floor(next() * all.length)] ?? '').join('');
}

/** Feed a text in pieces and look at what is frozen after each. */
function checkPrefixes(text: string, step: () => number): void {
  const splitter = new BlockSplitter();
  let seen: readonly Block[] = [];
  for (let length = 0; length <= text.length; length += step()) {
    const prefix = text.slice(0, length);
    splitter.update(prefix);
    const all = [...splitter.frozen, splitter.tail];
    assert.equal(all.map(({ start, end }) => prefix.slice(start, end)).join(''), prefix);
    assert.deepEqual(splitter.frozen.slice(0, seen.length), seen);
    seen = [...splitter.frozen];
  }
  splitter.finish(text);
  assert.equal(splitter.frozen.map(({ start, end }) => text.slice(start, end)).join(''), text);
  assert.deepEqual(splitter.frozen.slice(0, seen.length), seen);
  assert.deepEqual(splitter.frozen, splitBlocks(text));
}

describe('blocks', () => {
  it('are the text at every prefix, and do not change once they are frozen', () => {
    checkPrefixes(ANSWER, () => 1);
    for (let seed = 1; seed <= 300; seed += 1) {
      const next = random(seed + 1000);
      checkPrefixes(scribble(seed), () => 1 + Math.floor(next() * 7));
    }
  });

  it('are what a reader takes for one thing', () => {
    assert.deepEqual(kinds('# Title\ntext\n\nmore\n'), ['heading', 'paragraph', 'paragraph']);
    assert.deepEqual(kinds('Title\n===\ntext'), ['paragraph', 'paragraph']);
    assert.deepEqual(kinds('a\n***\nb'), ['paragraph', 'rule', 'paragraph']);
    assert.deepEqual(kinds('text:\n- a\n- b\n\n- c\n\nend'), ['paragraph', 'list', 'paragraph']);
    assert.deepEqual(kinds('a\n2. not a list'), ['paragraph']);
    assert.deepEqual(kinds('- a\n\n1. b'), ['list', 'list']);
    assert.deepEqual(kinds('> a\nlazy\n\n> b'), ['quote', 'quote']);
    assert.deepEqual(kinds('| a |\n|---|\n| 1 |\n\nend'), ['paragraph', 'paragraph']);
  });

  it('keep a loose list with its code together', () => {
    const list = '1. one\n\n   ```js\n   a\n\n   b\n   ```\n\n2. two\n';
    assert.deepEqual(kinds(list), ['list']);
    assert.deepEqual(kinds(`${list}\nend`), ['list', 'paragraph']);
    assert.deepEqual(kinds('- a\n  ```\ncode at the margin\n\n# still code\n  ```\n- b'), ['list']);
  });

  it('end at their own fence and no other', () => {
    const text = '````md\n```py\nx\n```\n````\nafter';
    assert.deepEqual(kinds(text), ['fence', 'paragraph']);
    assert.deepEqual(kinds('~~~\n```\n~~~\n'), ['fence']);
    assert.deepEqual(kinds('```a`b```\ntext'), ['paragraph']);
    assert.deepEqual(kinds('```py\nnever closed\n\n# x\n'), ['fence']);
  });

  it('keep formulas whole, whatever their lines look like', () => {
    assert.deepEqual(kinds('$$\na\n- b\n# c\n$$\nend'), ['math', 'paragraph']);
    assert.deepEqual(kinds('so:\n$$\na\n$$\n\nend'), ['paragraph', 'math', 'paragraph']);
    assert.deepEqual(kinds('so $$a\n- b$$ end'), ['paragraph']);
    assert.deepEqual(kinds('$$\nnever closed\n\n# Title\n'), ['math', 'heading']);
  });

  it('keep HTML that belongs together', () => {
    assert.deepEqual(kinds('<details>\n\na\n\n</details>\n\nb'), ['html', 'paragraph']);
    assert.deepEqual(kinds('<!-- a\n\nb -->\nc'), ['html', 'paragraph']);
    assert.deepEqual(kinds('<script>\n\n# x\n</script>\ny'), ['html', 'paragraph']);
  });

  it('give the blank lines to what follows', () => {
    assert.deepEqual(pieces('a\n\n\nb\n'), ['a\n', '\n\nb\n']);
  });
});

describe('the code of a fence', () => {
  const code = (text: string, isClosed: boolean) => {
    const fence = splitBlocks(text)[0]?.fence;
    assert.ok(fence);
    return codeOf(text, fence, isClosed);
  };

  it('is what stands between the fences', () => {
    assert.equal(code('\n```py\na\n\nb\n```\n', true), 'a\n\nb');
    assert.equal(code('```py\na', true), 'a');
    assert.equal(code('  ```py\n  a\n    b\n  ```', true), 'a\n  b');
    assert.equal(code('```\r\na\r\n```\r\n', true), 'a');
  });

  it('does not show half of the closing fence', () => {
    assert.equal(code('```py\na\n``', false), 'a');
    assert.equal(code('```py\na\nb``', false), 'a\nb``');
  });
});

describe('definitions of links', () => {
  it('are found by name and given to the blocks that use them', () => {
    const definitions = new Definitions();
    definitions.collect('[One  two]: https://a.example "t"\n[x]: https://b.example\n[^1]: note');
    definitions.collect('[x]: https://second.example');
    assert.deepEqual(definitions.usedBy('see [text][ONE two] and [x]'), [
      '[One  two]: https://a.example "t"',
      '[x]: https://b.example'
    ]);
    assert.deepEqual(definitions.usedBy('see [^1] and [y]'), []);
  });
});

describe('thinking', () => {
  it('is parted from the answer', () => {
    assert.deepEqual(splitThinking('plain'), { thinking: null, isThinking: false, answer: 'plain' });
    assert.deepEqual(splitThinking('\n<think>\nhm'), { thinking: 'hm', isThinking: true, answer: '' });
    assert.deepEqual(splitThinking('<think>hm</think>\n\nso'), {
      thinking: 'hm',
      isThinking: false,
      answer: 'so'
    });
    assert.equal(splitThinking('<thi').answer, '');
    assert.equal(splitThinking('a <think>b</think>').thinking, null);
  });
});

describe('the pause after a paint', () => {
  it('is nothing for cheap ones and a multiple of dear ones', () => {
    assert.equal(pauseAfter(3), 0);
    assert.equal(pauseAfter(10), 40);
    assert.equal(pauseAfter(10_000), 1000);
  });
});
