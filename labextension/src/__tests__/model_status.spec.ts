/** How the models do: polled, told in a few words, and let go. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readStatusReply } from '../protocol.js';
import type { StatusReply } from '../protocol';
import { ModelStatus } from '../service/model_status.js';
import { describeBrief } from '../service/status_text.js';
import { trans } from './chat_page.js';
import { apiError } from './fake_chats.js';

function reply(models: readonly object[], running = 0): StatusReply {
  const version = { protocol_version: 1, server_version: '0.1.0' };
  return readStatusReply({ ...version, models, running, waiting: 0 });
}

const READY = { id: 'folder/alpha', state: 'ready', is_default: true };
const SLEEPING = { id: 'beta' };

/** Wait until it is so; the poll has timers of its own. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

function idOf(heard: ModelStatus): string | undefined {
  return heard.status?.models[0]?.id;
}

function stateOf(heard: ModelStatus): string | undefined {
  return heard.status?.models[0]?.state;
}

describe('ModelStatus', () => {
  it('asks on demand, and keeps what it heard while the server is away', async () => {
    const answers = [reply([READY]), apiError('server_away', 0), reply([SLEEPING])];
    const status = new ModelStatus(() => {
      const next = answers.shift();
      return next instanceof Error || next === undefined
        ? Promise.reject(next ?? apiError('no_more', 0))
        : Promise.resolve(next);
    });
    let nChanges = 0;
    status.changed.connect(() => nChanges++);
    await status.refresh();
    assert.equal(idOf(status), 'folder/alpha');
    await status.refresh();
    assert.equal(idOf(status), 'folder/alpha');
    assert.equal(status.error?.code, 'server_away');
    await status.refresh();
    assert.equal(idOf(status), 'beta');
    assert.equal(status.error, null);
    assert.equal(nChanges, 3);
    status.dispose();
    await status.refresh();
    assert.equal(nChanges, 3);
  });

  // Slow polls come too late for the time allowed.
  const allowed = { timeout: 10_000 };
  it('asks often while somebody watches, or something loads or is answered', allowed, async () => {
    let nAsked = 0;
    let state = 'ready';
    let running = 0;
    const status = new ModelStatus(() => {
      nAsked += 1;
      return Promise.resolve(reply([{ ...READY, state }], running));
    });
    status.start();
    await until(() => nAsked === 1);
    const watch = status.watchClosely();
    await until(() => nAsked >= 3);
    state = 'loading';
    await until(() => stateOf(status) === 'loading');
    watch.dispose();
    watch.dispose();
    const before = nAsked;
    await until(() => nAsked > before);
    state = 'ready';
    running = 1;
    await until(() => status.status?.running === 1);
    running = 0;
    await until(() => status.status?.running === 0);
    status.dispose();
  });
});

describe('describeBrief', () => {
  const cases: [string, readonly object[], number, RegExp, string][] = [
    ['a model', [READY, SLEEPING], 0, /^alpha$/, 'idle'],
    ['work', [READY], 1, /^alpha: busy$/, 'busy'],
    ['loading', [READY, { id: 'b', state: 'loading', load_progress: 0.256 }], 0, /^b: loading 25 %$/, 'loading'],
    ['a failure', [{ ...READY, state: 'failed' }], 0, /failed/, 'failed'],
    ['no model', [], 0, /no model/, 'none']
  ];
  for (const [name, models, running, text, state] of cases) {
    it(`says ${name}`, () => {
      const brief = describeBrief({ status: reply(models, running), error: null }, trans);
      assert.match(brief.text, text);
      assert.equal(brief.state, state);
      assert.notEqual(brief.caption, '');
    });
  }

  it('says that the server is away, and why', () => {
    const error = { code: 'x', message: 'It is away.', hint: 'Start it.' };
    const brief = describeBrief({ status: reply([READY]), error }, trans);
    assert.deepEqual([brief.state, brief.caption], ['away', 'It is away.\nStart it.']);
    assert.equal(describeBrief({ status: null, error: null }, trans).state, 'unknown');
  });
});
