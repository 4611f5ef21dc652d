/** What the input offers at the cursor, which stands at `|` in these texts. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { completeInput } from '../chat/completions.js';
import { findMentions } from '../chat/mentions.js';
import { NAMES, trans } from './recording_chat.js';
import { randomText, seeded } from './seeded.js';

async function complete(marked: string): Promise<string[] | null> {
  const cursor = marked.indexOf('|');
  const text = marked.replace('|', '');
  const list = await completeInput(text, cursor, NAMES, trans);
  return (
    list?.items.map(({ insert }) => text.slice(0, list.start) + insert + text.slice(list.end)) ?? null
  );
}

const CASES: [string, string[] | null][] = [
  ['/ex|', ['/explain ', '/export ']],
  ['/h|elp', ['/help']],
  ['/fi| this', ['/fix this']],
  ['say /ex|', null],
  ['/nothing|', null],
  ['/usr/bi|', null],
  ['/model |', ['/model smollm2-135m', '/model qwen2.5-1.5b', '/model qwen2.5-0.5b']],
  ['/model 1.5|', ['/model qwen2.5-1.5b']],
  ['/export i|', ['/export ipynb']],
  ['/system |', ['/system off']],
  ['see @c|', ['see @cell']],
  ['see @c|ell now', ['see @cell now']],
  ['@|', ['@cell', '@error', '@output', '@var:', '@file:']],
  ['/fix like @e|', ['/fix like @error']],
  ['me@c|', null],
  ['`@c|`', null],
  ['@x|', null],
  ['plain|', null],
  ['@var:d| rest', ['@var:df rest', '@var:data rest']],
  ['@var:d|f', ['@var:df', '@var:data']],
  ['@var:|', ['@var:df', '@var:data', '@var:x']],
  ['@file:|', ['@file:"my data/', '@file:"a b.py"', '@file:notes.md']],
  ['@file:n| x', ['@file:notes.md x']],
  ['@file:"a |', ['@file:"a b.py"']],
  ['@file:"a |"', ['@file:"a b.py"']],
  ['@file:a\\ |', ['@file:"a b.py"']],
  ['@file:"my data/|', ['@file:"my data/in my data_x.csv"']],
  ['@file:sub/|', ['@file:"sub/in sub_x.csv"']],
  ['@file:.|', null]
];

describe('completeInput', () => {
  for (const [text, expected] of CASES) {
    it(`completes ${text}`, async () => {
      assert.deepEqual(await complete(text), expected);
    });
  }

  it('marks what cannot be attached now', async () => {
    const list = await completeInput('@o', 2, NAMES, trans);
    assert.deepEqual(list?.items.map(({ whyNot }) => whyNot), ['no output']);
  });

  it('gives whole mentions that are read as one, wherever the cursor is', async () => {
    const random = seeded(7);
    const pieces = ['@', 'cell', 'file:', 'var:', 'd', ' ', '"', '`', '\n', '/', 'a b', '文', '\\', '('];
    for (let round = 0; round < 2_000; round++) {
      const text = randomText(random, pieces, 8);
      const cursor = Math.floor(random() * (text.length + 1));
      const list = await completeInput(text, cursor, NAMES, trans);
      for (const { kind, insert } of list?.items ?? []) {
        assert.ok(list !== null && list.start <= cursor && cursor <= list.end && list.end <= text.length);
        if (kind !== 'command' && kind !== 'model' && !/[:/]$/.test(insert)) {
          assert.deepEqual(findMentions(insert).map(({ raw }) => raw), [insert]);
        }
      }
    }
  });
});
