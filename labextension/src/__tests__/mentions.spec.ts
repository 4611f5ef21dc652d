/** Mentions in typed text: where they are, how they are quoted, and what is none. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { findCode } from '../chat/code_spans.js';
import { findMentions, formatMention, parseMention, PLAIN_MENTIONS } from '../chat/mentions.js';
import { isVariablePath } from '../chat/variable_path.js';
import { choose, randomText, seeded } from './seeded.js';

/** `name=argument` of each, with its problem. */
function found(text: string): string[] {
  return findMentions(text).map(({ name, argument, problem }) => {
    const value = argument === '' ? name : `${name}=${argument}`;
    return problem === null ? value : `${value}!${problem}`;
  });
}

const CASES: [string, string[]][] = [
  ['', []],
  ['no mention', []],
  ['@cell', ['cell']],
  ['Explain @cell, please', ['cell']],
  ['Explain @cell.', ['cell']],
  ["What is @cell's loop for?", ['cell']],
  ['(@error) [@output] "@notebook" @selection!', ['error', 'output', 'notebook', 'selection']],
  ['@cell@error', []],
  ['@cell @cell', ['cell', 'cell']],
  ['@cells @cell_2 @cell2 @Cell', []],
  ['me@cell.org, a.b+c@cell, x_@cell', []],
  ['me@error', []],
  ['see @notebook.com', []],
  ['pkg/@cell and @cell/x', []],
  ['@@cell', []],
  ['$@cell and \\@cell', []],
  ['解释@cell的错误', ['cell']],
  ['これは@errorです。', ['error']],
  ['é@cell', []],
  ['😀@cell', ['cell']],
  ['𝒳@cell', []],
  // In code
  ['`@cell`', []],
  ['`` `@cell` `` @error', ['error']],
  ['a ` b @cell', ['cell']],
  ['`a @cell\n\n@error` @output', ['output']],
  ['```\n@cell\n```\n@error', ['error']],
  ['~~~python\n@cell\n~~~', []],
  ['```\n@cell', []],
  ['```\n@cell\n````\n@error', ['error']],
  ['````\n```\n@cell\n````', []],
  ['    @cell', ['cell']],
  // Files
  ['@file:notes.md', ['file=notes.md']],
  ['see @file:notes.md.', ['file=notes.md']],
  ['(see @file:a/b.py)', ['file=a/b.py']],
  ['@file:a(1).py and @file:b[2].py', ['file=a(1).py', 'file=b[2].py']],
  ['@file:notes.md, @file:x.py; @file:y.py: @file:z.py!', ['file=notes.md', 'file=x.py', 'file=y.py', 'file=z.py']],
  ["@file:'a b.py' rest", ['file=a b.py']],
  ['@file:"a b.py" rest', ['file=a b.py']],
  ['@file:a\\ b.py rest', ['file=a b.py']],
  ['@file:a\\ b\\,c.py, d', ['file=a b,c.py']],
  ['@file:"it\'s \\"x\\".py"', ['file=it\'s "x".py']],
  ["@file:'a\\\\b'", ['file=a\\b']],
  ['@file:a\\\nb', ['file=a\\']],
  ['@file:', ['file!no-name']],
  ['@file: x', ['file!no-name']],
  ['@file:""', ['file!no-name']],
  ['@file:.', ['file!no-name']],
  ['@file:"a b', ['file=a b!open-quote']],
  ["@file:'a\nb'", ['file=a!open-quote']],
  ['@file:数据.csv，然后', ['file=数据.csv']],
  ['@file:../secret', ['file=../secret']],
  ['x@file:a', []],
  ['@file:a@cell', ['file=a@cell']],
  ['`@file:a`', []],
  ['@file:a`b', ['file=a']],
  // Variables
  ['@var:df', ['var=df']],
  ['what is @var:df?', ['var=df']],
  ['@var:df.', ['var=df']],
  ["@var:df's columns", ['var=df']],
  ['@var:df.columns, then', ['var=df.columns']],
  ['@var:d["a b"][0].x', ['var=d["a b"][0].x']],
  ["@var:d['it\\'s']", ["var=d['it\\'s']"]],
  ['@var:x[-1]', ['var=x[-1]']],
  ['@var:größe', ['var=größe']],
  ['(@var:x)', ['var=x']],
  ['@var:', ['var!no-name']],
  ['@var: x', ['var!no-name']],
  ['@var:?', ['var!no-name']],
  ['@var:f(x)', ['var=f(x)!not-a-variable']],
  ['@var:x+1', ['var=x+1!not-a-variable']],
  ['@var:x;import_os', ['var=x;import_os!not-a-variable']],
  ['@var:x[y]', ['var=x[y]!not-a-variable']],
  ['@var:x[0:2]', ['var=x[0:2]!not-a-variable']],
  ['@var:[1]', ['var=[1]!not-a-variable']],
  ['@var:1x', ['var=1x!not-a-variable']],
  ['@var:x.__class__', ['var=x.__class__']],
  ['@var:x[f"{y}"]', ['var=x[f"{y}"]!not-a-variable']]
];

describe('findMentions', () => {
  for (const [text, expected] of CASES) {
    it(`reads ${JSON.stringify(text)}`, () => {
      assert.deepEqual(found(text), expected);
    });
  }

  it('is quick on a long line of openers that never close', () => {
    const before = performance.now();
    findMentions('@file:"'.repeat(20_000));
    findMentions(Array.from({ length: 2_000 }, (_, index) => '`'.repeat((index % 90) + 1)).join(' @cell '));
    findMentions(`@var:${'a.'.repeat(50_000)}(`);
    assert.ok(performance.now() - before < 2_000);
  });
});

describe('mentions, by properties', () => {
  const PIECES = ['@cell', '@error', '@file:', '@var:', 'a b.py', '"', "'", '`', '```', '\n', ' ', '\\'];
  const MORE = ['@', 'df', '.x', '[0]', '(', ')', '文', '😀', ',', '.', 'me@cell.org', '~~~', '\ud800'];
  const random = seeded(20_261_121);

  it('cuts every mention out of the text where it says, in order, outside code', () => {
    for (let round = 0; round < 3_000; round++) {
      const text = randomText(random, [...PIECES, ...MORE], 14);
      let position = 0;
      for (const mention of findMentions(text)) {
        assert.equal(text.slice(mention.start, mention.end), mention.raw);
        assert.ok(mention.start >= position && mention.end > mention.start, text);
        const code = findCode(text);
        assert.ok(!code.some(({ start, end }) => start <= mention.start && mention.start < end), text);
        position = mention.end;
      }
    }
  });

  it('finds what is written between two spaces, whatever stands around', () => {
    const words = ['see', 'and', 'x@y.org', '(', ')', '!', '文字', '😀', '@', 'cell'];
    for (let round = 0; round < 2_000; round++) {
      const name = choose(random, PLAIN_MENTIONS);
      const before = randomText(random, words, 6);
      const after = randomText(random, words, 6);
      const text = `${before} @${name} ${after}`;
      const start = before.length + 1;
      assert.ok(findMentions(text).some(mention => mention.start === start && mention.name === name), text);
    }
  });

  it('reads back every file name that it writes', () => {
    const characters = ['a', 'b', 'Z', '0', ' ', '.', '/', '-', '_', '"', "'", '\\', '`', ',', ')', '(', '文', '😀', '@'];
    for (let round = 0; round < 3_000; round++) {
      const path = randomText(random, characters, 12) || 'x';
      const mention = formatMention('file', path);
      assert.deepEqual(parseMention(mention)?.argument, path, mention);
      if (!path.includes('`')) {
        assert.equal(findMentions(`see ${mention} there`)[0]?.argument, path, mention);
      }
    }
  });

  it('finds nothing inside a fence', () => {
    for (let round = 0; round < 1_000; round++) {
      const inside = randomText(random, [...PIECES, ...MORE], 10).replace(/[`~]/g, '');
      assert.deepEqual(findMentions(`\`\`\`\n${inside}\n\`\`\``), []);
    }
  });

  it('lets through only variables without calls and operators', () => {
    const pieces = ['x', 'df', '.', 'a', '[0]', '["k"]', "['k']", '(', ')', '+', ' ', '[', ']', '"', '\\', ';', '\n', 'lambda:', '0', '=', ',', '`', '#'];
    for (let round = 0; round < 5_000; round++) {
      const path = randomText(random, pieces, 8);
      if (isVariablePath(path)) {
        const withoutStrings = path.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '0');
        assert.match(withoutStrings, /^[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*|\[ *-?\d+ *\])*$/u);
      }
    }
  });
});
