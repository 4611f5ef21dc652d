/** Rules of the notebook side that need no notebook: refusals, languages, queries, suggestions. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';

import { editDistance, parseLine } from '../chat/command_parser.js';
import { fileStem } from '../chat/export_file.js';
import { isVariablePath } from '../chat/variable_path.js';
import type { CodeAction } from '../chat/workbench.js';
import { whyNotAction } from '../notebook/code_refusals.js';
import type { NotebookFacts } from '../notebook/code_refusals.js';
import { canRun, cellTypeOf, languageTitle, normaliseLanguage } from '../notebook/languages.js';
import { suggestionsFor } from '../notebook/suggestion_texts.js';
import type { Situation } from '../notebook/suggestion_texts.js';
import { namesQuery, QueryError, readNamesAnswer, readValueAnswer, valueQuery } from '../notebook/variable_query.js';
import { trans } from './recording_chat.js';

const READY: NotebookFacts = {
  isOpen: true,
  isVisible: true,
  isReadOnly: false,
  hasActiveCell: true,
  isEditable: true,
  isDeletable: true,
  kernel: 'ready',
  kernelLanguage: 'python'
};
const ACTIONS: CodeAction[] = ['insert-above', 'insert-below', 'replace', 'run'];

function refusals(facts: Partial<NotebookFacts>, language = 'python'): (string | null)[] {
  return ACTIONS.map(action => whyNotAction(action, language, { ...READY, ...facts }, trans));
}

describe('whyNotAction', () => {
  it('lets everything through on an ordinary notebook', () => {
    assert.deepEqual(refusals({}), [null, null, null, null]);
    assert.deepEqual(refusals({}, ''), [null, null, null, null]);
  });

  const all: [string, Partial<NotebookFacts>, RegExp][] = [
    ['no notebook', { isOpen: false, isVisible: false }, /No notebook is open/],
    ['a hidden notebook', { isVisible: false }, /No notebook is visible/],
    ['a read-only notebook', { isReadOnly: true }, /read-only/]
  ];
  for (const [name, facts, reason] of all) {
    it(`refuses everything for ${name}`, () => {
      for (const refusal of refusals(facts)) {
        assert.match(refusal ?? '', reason);
      }
    });
  }

  const one: [string, Partial<NotebookFacts>, CodeAction, RegExp][] = [
    ['no active cell', { hasActiveCell: false }, 'replace', /No cell is active/],
    ['a locked cell', { isEditable: false }, 'replace', /locked/],
    ['a protected cell', { isDeletable: false }, 'replace', /protected/],
    ['no kernel', { kernel: 'none' }, 'run', /no kernel/],
    ['a starting kernel', { kernel: 'starting' }, 'run', /still starting/],
    ['a dead kernel', { kernel: 'dead' }, 'run', /died/]
  ];
  for (const [name, facts, refused, reason] of one) {
    it(`refuses only ${refused} for ${name}`, () => {
      refusals(facts).forEach((refusal, index) => {
        if (ACTIONS[index] === refused) {
          assert.match(refusal ?? '', reason);
        } else {
          assert.equal(refusal, null);
        }
      });
    });
  }

  it('names both languages where the kernel cannot run the block', () => {
    assert.equal(refusals({}, 'sh')[3], 'This is bash code; the notebook runs Python.');
    assert.equal(refusals({ kernelLanguage: 'R' }, 'py')[3], 'This is Python code; the notebook runs R.');
    assert.deepEqual(refusals({}, 'sh').slice(0, 3), [null, null, null]);
  });
});

describe('languages', () => {
  it('reads what fences say', () => {
    const written = ['py', 'Python3', '{.python}', 'python title="x"', 'text', '', 'C++', 'md'];
    assert.deepEqual(written.map(normaliseLanguage), ['python', 'python', 'python', 'python', '', '', 'c++', 'markdown']);
    assert.deepEqual(['python', '', 'md', 'bash'].map(cellTypeOf), ['code', 'code', 'markdown', 'code']);
    assert.ok(canRun('ipython', 'python') && canRun('', 'R') && canRun('py', '') && !canRun('r', 'python'));
    assert.deepEqual(['js', 'python', 'bash', 'r'].map(languageTitle), ['JavaScript', 'Python', 'bash', 'R']);
  });
});

describe('parseLine', () => {
  it('tells commands, unknown words and text apart', () => {
    assert.deepEqual(parseLine('/fix  a\nb '), { kind: 'command', name: 'fix', rest: 'a\nb' });
    assert.deepEqual(parseLine('/newPythonFile x'), { kind: 'command', name: 'generate', rest: 'x' });
    assert.deepEqual(parseLine('/exprt'), { kind: 'unknown', word: 'exprt', nearest: 'export' });
    assert.deepEqual(parseLine('/gen'), { kind: 'unknown', word: 'gen', nearest: 'generate' });
    assert.equal(parseLine('/home/x').kind, 'text');
  });

  it('counts edits', () => {
    const pairs: [string, string, number][] = [['', 'ab', 2], ['fxi', 'fix', 1], ['kitten', 'sitting', 3], ['a', 'a', 0]];
    for (const [first, second, distance] of pairs) {
      assert.equal(editDistance(first, second), distance);
      assert.equal(editDistance(second, first), distance);
    }
  });
});

describe('fileStem', () => {
  it('makes names that every file system takes', () => {
    const titles = ['A/B: c?', '../../etc', '...', '', ' a\n\tb ', '日本 🎌', 'x'.repeat(300), '-rf', '.hidden', 'end.'];
    assert.deepEqual(titles.map(title => fileStem(title, 'chat')), [
      'A-B- c', 'etc', 'chat', 'chat', 'a b', '日本 🎌', 'x'.repeat(80), 'rf', 'hidden', 'end'
    ]);
  });
});

describe('variable queries', () => {
  it('are made of plain paths only', () => {
    for (const path of ['f(x)', 'x;y', 'x+1', '', 'x[y]', 'x["', "x['\n']", '__import__("os")', 'x[0', 'lambda: 0']) {
      assert.throws(() => valueQuery(path), QueryError, path);
      assert.equal(isVariablePath(path), false);
    }
  });

  it('refuse answers that are none', () => {
    for (const answer of ['', "'***'", "'e30='", "'bm90IGpzb24='", '42', "'W10='"]) {
      assert.throws(() => readValueAnswer(answer), QueryError);
    }
    assert.throws(() => readNamesAnswer("'e30='"), QueryError);
  });

  const python = ['../.venv/bin/python', '../.venv/Scripts/python.exe'].find(path => existsSync(path));
  const evaluate = (setup: string, query: string): string =>
    execFileSync(python ?? 'python3', ['-c', `import sys\n${setup}\nbefore = set(globals())\nprint(repr(eval(sys.argv[1])))\nassert set(globals()) - before == {"before"}, "a name was left behind"`, query], { encoding: 'utf-8' });

  it('describe values in Python itself and leave no name behind', () => {
    const setup = [
      'big = list(range(10**6))', 'text = "y" * 10**6', 'raw = text.encode()', 'd = {"b": [1, {"k": "\\u00e9"}], "a": 2}',
      'class Odd:', '    def __repr__(self): return "<img src=x onerror=alert(1)>\\n" * 1000'
    ].join('\n');
    const read = (path: string) => readValueAnswer(evaluate(`${setup}\nodd = Odd()`, valueQuery(path)));
    assert.deepEqual(read('d'), {
      type: 'dict', facts: '2 items', text: "{'b': [1, {'k': 'é'}], 'a': 2}", isTruncated: false
    });
    assert.equal(read('d["b"][1]["k"]').text, "'é'");
    assert.equal(read('big').facts, '1000000 items');
    for (const path of ['big', 'text', 'odd', 'raw']) {
      const { text, isTruncated } = read(path);
      assert.ok(isTruncated && text.length <= 4_000, path);
    }
  });

  it('do not take dots in bytes for what was left out', () => {
    assert.deepEqual(readValueAnswer(evaluate('raw = b"a ... b"', valueQuery('raw'))), {
      type: 'bytes', facts: '7 items', text: "b'a ... b'", isTruncated: false
    });
  });

  it('list the names that a person made', () => {
    const names = readNamesAnswer(evaluate('import os\nx = 1\n_hidden = 2\ndef f(): pass\nclass C: pass\nobject_ = C()', namesQuery()));
    assert.deepEqual(names, [
      { name: 'before', type: 'set' },
      { name: 'object_', type: 'C' },
      { name: 'x', type: 'int' }
    ]);
  });
});

describe('suggestionsFor', () => {
  const base: Situation = {
    hasNotebook: true, hasCells: true, activeType: 'code', hasError: false, hasOutput: false, language: 'python'
  };
  const first: [string, Partial<Situation>, string][] = [
    ['an error', { hasError: true, hasOutput: true }, '/fix'],
    ['a code cell', {}, '/explain']
  ];
  for (const [name, change, text] of first) {
    it(`begins with ${text} for ${name}`, () => {
      assert.equal(suggestionsFor({ ...base, ...change }, trans)[0]?.text, text);
    });
  }

  it('are always three, different ones', () => {
    for (const hasNotebook of [true, false]) {
      for (const activeType of ['', 'code', 'markdown', 'raw']) {
        for (const hasError of [true, false]) {
          for (const hasOutput of [true, false]) {
            const list = suggestionsFor({ ...base, hasNotebook, activeType, hasError, hasOutput }, trans);
            assert.equal(new Set(list.map(({ label }) => label)).size, 3);
            assert.equal(new Set(list.map(({ text }) => text)).size, 3);
          }
        }
      }
    }
  });
});
