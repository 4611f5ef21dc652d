/** What submitted texts do: sent with visible chips, done as commands, or kept with a reason. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { CommandLine } from '../chat/commands.js';
import type { ActiveCellReader } from '../chat/commands.js';
import { ACTIVE_CELL, CELL, MemoryStore, NAMES, RecordingModel, RecordingSources, trans } from './recording_chat.js';

/** A command line and all that it works on. */
function bench(activeCell: ActiveCellReader = ACTIVE_CELL) {
  const model = new RecordingModel();
  const sources = new RecordingSources();
  const store = new MemoryStore();
  const opened: string[] = [];
  const line = new CommandLine({
    model,
    sources,
    activeCell,
    names: NAMES,
    exports: { store, folder: () => 'week 1', open: path => opened.push(path) },
    trans
  });
  return { model, sources, store, opened, line };
}

describe('texts', () => {
  it('sends a plain text as it is', async () => {
    const { line, model } = bench();
    assert.equal(await line.submit('  What is {x}? \n'), 'sent');
    assert.deepEqual(model.calls, ['ask : What is {x}?']);
  });

  for (const text of ['/usr/bin/x runs', '/ 2', '//comment', '/1', '1/2', ' /fix', '/', '/a.b']) {
    it(`sends ${JSON.stringify(text)}, which only looks like a command`, async () => {
      const { line, model } = bench();
      assert.equal(await line.submit(text), 'sent');
      assert.deepEqual(model.calls, [`ask : ${text.trim()}`]);
    });
  }

  it('attaches every mention once, before it sends', async () => {
    const { line, model } = bench();
    const text = 'Compare @cell with @file:"a b.py" and @cell, not `@error`';
    assert.equal(await line.submit(text), 'sent');
    assert.deepEqual(model.calls, ['chip @cell', 'chip @file:"a b.py"', `ask : ${text}`]);
  });

  for (const text of ['See @cell and @output', '@file:missing.md', '@var:f(x)', '@file:"a', '@var:']) {
    it(`sends nothing where a mention cannot be read: ${text}`, async () => {
      const { line, model } = bench();
      assert.equal(await line.submit(text), 'kept');
      assert.deepEqual(model.calls, []);
      assert.equal(model.notices.length, 1);
      assert.match(model.notices[0]?.hint ?? '', /Nothing was sent/);
    });
  }

  it('keeps the text while another answer is written', async () => {
    const { line, model } = bench();
    model.isAnswering = true;
    assert.equal(await line.submit('hello'), 'kept');
  });

  it('sends nothing where there is no room for an attachment', async () => {
    const { line, model } = bench();
    model.hasRoom = false;
    assert.equal(await line.submit('Explain @cell'), 'kept');
    assert.deepEqual(model.calls, ['chip @cell']);
  });

  it('sends once where Enter is pressed twice', async () => {
    const { line, model, sources } = bench();
    let open = (): void => undefined;
    sources.gate = new Promise(resolve => {
      open = resolve;
    });
    const first = line.submit('@cell');
    const second = line.submit('@cell');
    open();
    assert.deepEqual([await first, await second], ['sent', 'kept']);
    assert.equal(model.calls.filter(call => call.startsWith('ask')).length, 1);
  });

  it('keeps an empty text', async () => {
    const { line, model } = bench();
    assert.equal(await line.submit(' \n '), 'kept');
    assert.deepEqual([model.calls, model.notices], [[], []]);
  });
});

describe('attach', () => {
  it('adds a chip', async () => {
    const { line, model } = bench();
    assert.equal(await line.attach('@cell'), true);
    assert.deepEqual(model.calls, ['chip @cell']);
  });

  it('says why not', async () => {
    const { line, model } = bench();
    assert.equal(await line.attach('@output'), false);
    assert.deepEqual(model.notices.map(notice => notice.message), ['There is no @output.']);
  });
});

describe('/explain and /fix', () => {
  it('take the cell and its error as chips and send at once', async () => {
    const { line, model } = bench();
    assert.equal(await line.submit('/fix'), 'sent');
    assert.deepEqual(model.calls, ['chip @cell [1]', 'chip @error [1]', 'ask fix: Fix this cell.']);
    model.calls.length = 0;
    assert.equal(await line.submit('/explain line 3, with @file:a.py'), 'sent');
    assert.deepEqual(model.calls, [
      'chip @cell [1]',
      'chip @error [1]',
      'chip @file:a.py',
      'ask explain: line 3, with @file:a.py'
    ]);
  });

  it('/fix without an error sends nothing and says so', async () => {
    const { line, model } = bench({ readCell: () => CELL, readActiveError: () => 'No error here.' });
    assert.equal(await line.submit('/fix please'), 'kept');
    assert.deepEqual(model.calls, []);
    assert.equal(model.notices[0]?.message, 'No error here.');
    assert.match(model.notices[0].hint, /failing cell/);
  });

  it('/explain works without an error, and not without a cell', async () => {
    const calm = bench({ readCell: () => CELL, readActiveError: () => 'No error here.' });
    assert.equal(await calm.line.submit('/explain'), 'sent');
    assert.deepEqual(calm.model.calls, ['chip @cell [1]', 'ask explain: Explain this cell.']);
    const none = bench({ readCell: () => 'No notebook is open.', readActiveError: () => 'x' });
    assert.equal(await none.line.submit('/explain'), 'kept');
    assert.equal(none.model.notices[0]?.message, 'No notebook is open.');
  });
});

describe('other commands', () => {
  it('/generate and its aliases ask for words', async () => {
    const { line, model } = bench();
    assert.equal(await line.submit('/generate'), 'kept');
    assert.equal(await line.submit('/generate a plot'), 'sent');
    assert.equal(await line.submit('/newNotebook about rivers'), 'sent');
    assert.deepEqual(model.calls, ['ask generate: a plot', 'ask generate: about rivers']);
  });

  it('/new and /clear begin a new chat', async () => {
    const { line, model } = bench();
    assert.equal(await line.submit('/new'), 'done');
    assert.equal(await line.submit('/CLEAR '), 'done');
    assert.deepEqual(model.calls, ['new', 'new']);
  });

  it('/help lists every command', async () => {
    const { line, model } = bench();
    assert.equal(await line.submit('/help'), 'done');
    const text = model.notices[0]?.hint ?? '';
    for (const name of 'help clear new explain fix generate export model system'.split(' ')) {
      assert.ok(text.includes(`/${name}`), name);
    }
  });

  it('an unknown word is not sent, and the nearest command is named', async () => {
    const { line, model } = bench();
    assert.equal(await line.submit('/fxi this'), 'kept');
    assert.deepEqual(model.calls, []);
    assert.equal(model.notices[0]?.message, 'There is no command "/fxi". Did you mean "/fix"?');
  });

  it('/model chooses by the beginning of a name, and says what it is', async () => {
    const { line, model } = bench();
    assert.equal(await line.submit('/model'), 'done');
    assert.equal(model.notices.at(-1)?.message, 'The next question goes to smollm2-135m.');
    assert.equal(await line.submit('/model qwen2.5-1'), 'done');
    assert.deepEqual(model.calls, ['model qwen2.5-1.5b']);
    assert.equal(await line.submit('/model qwen'), 'kept');
    assert.match(model.notices.at(-1)?.message ?? '', /any of: qwen2.5-1.5b, qwen2.5-0.5b/);
    assert.equal(await line.submit('/model smolm2'), 'kept');
    assert.match(model.notices.at(-1)?.message ?? '', /Did you mean "smollm2-135m"/);
  });

  it('/system sets, shows and takes away the instructions', async () => {
    const { line, model } = bench();
    assert.equal(await line.submit('/system You are\na tutor. '), 'done');
    assert.equal(await line.submit('/system off'), 'done');
    assert.equal(await line.submit('/system'), 'done');
    assert.deepEqual(model.calls, ['system You are\na tutor.', 'system ']);
    assert.equal(model.notices.at(-1)?.message, 'This chat has no instructions.');
  });
});

describe('/export', () => {
  it('saves a new file beside what is there, and offers to open it', async () => {
    const { line, model, store, opened } = bench();
    store.files.set('week 1/A-B- first.md', 'precious');
    assert.equal(await line.submit('/export'), 'done');
    assert.equal(await line.submit('/export ipynb'), 'done');
    assert.deepEqual(
      [...store.files],
      [
        ['week 1/A-B- first.md', 'precious'],
        ['week 1/A-B- first-1.md', 'c1 as md'],
        ['week 1/A-B- first.ipynb', 'c1 as ipynb']
      ]
    );
    model.notices[0]?.action?.run();
    assert.deepEqual(opened, ['week 1/A-B- first-1.md']);
  });

  it('leaves nothing behind where it cannot be saved', async () => {
    const { line, model, store } = bench();
    store.failSave = true;
    assert.equal(await line.submit('/export chat'), 'kept');
    assert.equal(store.files.size, 0);
    assert.match(model.notices[0]?.message ?? '', /disk full/);
  });

  it('refuses other formats and empty chats', async () => {
    const { line, model, store } = bench();
    assert.equal(await line.submit('/export pdf'), 'kept');
    model.state = { ...model.state, chat: { ...model.state.chat, isKept: false } };
    assert.equal(await line.submit('/export'), 'kept');
    assert.equal(model.notices.length, 2);
    assert.equal(store.files.size, 0);
  });
});
