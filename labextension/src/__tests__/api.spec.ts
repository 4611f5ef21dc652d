/** Requests and how their failures are said. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { readChat } from '../chat_guards.js';
import { Api, ApiError } from '../service/api.js';
import { Chats } from '../service/chats.js';
import { probeBy } from '../service/connection_ports.js';
import { fetchStatus } from '../service/status.js';
import { trans } from './chat_page.js';

interface Sent {
  readonly path: string;
  readonly init: RequestInit;
}

/** An API whose server answers with these, one after the other. */
function apiOf(...replies: (Response | Error)[]): { api: Api; sent: Sent[] } {
  const sent: Sent[] = [];
  const api = new Api((path, init) => {
    sent.push({ path, init });
    const reply = replies.shift() ?? new Error('no reply is left');
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
  }, trans);
  return { api, sent };
}

function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status });
}

async function failure(promise: Promise<unknown>): Promise<ApiError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ApiError);
    return error;
  }
  throw new Error('it did not fail');
}

const SUMMARY = { chat_id: 'c1', title: 'A', created_ms: 1, updated_ms: 2 };
const STATUS = { protocol_version: 1, server_version: '0.1.0', models: [] };

describe('Api', () => {
  const ours = { error: { code: 'queue_full', message: 'Full.', hint: 'Wait.' } };
  const failures: [string, Response | Error, string, RegExp, boolean][] = [
    ['our own error', json(ours, 503), 'queue_full', /^Full\.$/, false],
    ['no network', new TypeError('fetch failed'), 'server_away', /did not answer\.$/, true],
    ['no extension', new Response('<html>', { status: 404 }), 'extension_missing', /extension/, false],
    ['a login page', new Response('<html>', { status: 403 }), 'forbidden', /refused/, false],
    ['a proxy without a server', new Response('<html>', { status: 502 }), 'request_failed', /502/, true],
    ['HTML instead of JSON', new Response('<html>'), 'reply_unreadable', /it is not JSON/, false],
    ['a reply of another shape', json({ chat_id: 1 }), 'reply_unreadable', /chat_id/, false]
  ];
  for (const [name, reply, code, message, isAway] of failures) {
    it(`says ${name} with a next step`, async () => {
      const { api } = apiOf(reply);
      const error = await failure(api.json('GET', ['chats', 'x'], readChat));
      assert.equal(error.wire.code, code);
      assert.match(error.message, message);
      assert.notEqual(error.hint, '');
      assert.equal(error.isAway, isAway);
    });
  }

  it('gives up after its time', async () => {
    const api = new Api(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => {
            reject(new Error('aborted'));
          });
        }),
      trans
    );
    const error = await failure(api.text('GET', ['status'], { timeoutMs: 5 }));
    assert.equal(error.wire.code, 'server_timeout');
  });

  it('puts ids and queries into addresses safely', async () => {
    const { api, sent } = apiOf(json({ chats: [], notices: [] }), json({}, 500));
    const chats = new Chats(api);
    await chats.list('a&b=ä');
    await failure(chats.get('../x'));
    assert.deepEqual(sent.map(({ path }) => path), [
      'localllm/chats?query=a%26b%3D%C3%A4',
      'localllm/chats/..%2Fx'
    ]);
  });
});

describe('Chats', () => {
  it('sends what the server takes and leaves defaults out', async () => {
    const { api, sent } = apiOf(json(SUMMARY), json(SUMMARY), json(SUMMARY), json({ tokens: [3] }));
    const chats = new Chats(api);
    await chats.create({ chatId: 'c1', title: '', model: '', systemPrompt: 'x' });
    await chats.change('c1', { currentId: 'm1', model: '' });
    const summary = await chats.remove('c1');
    assert.deepEqual(await chats.countTokens('m', ['abc']), [3]);
    assert.deepEqual(
      sent.map(({ path, init }) => [init.method, path, init.body]),
      [
        ['POST', 'localllm/chats', '{"chat_id":"c1","system_prompt":"x"}'],
        ['POST', 'localllm/chats/c1', '{"model":"","current_id":"m1"}'],
        ['POST', 'localllm/chats/c1/delete', ''],
        ['POST', 'localllm/context/count', '{"model":"m","texts":["abc"]}']
      ]
    );
    assert.deepEqual(
      [summary.chatId, summary.nMessages, summary.snippet, summary.model],
      ['c1', 0, '', '']
    );
  });

  it('reads a whole chat with what the server leaves out', async () => {
    const message = { message_id: 'm', role: 'user', content: 'x', created_ms: 1 };
    const { api } = apiOf(json({ ...SUMMARY, current_id: 'm', messages: [message] }), json(SUMMARY));
    const chats = new Chats(api);
    const { messages, currentId } = await chats.get('c1');
    assert.deepEqual([currentId, messages[0]?.state, messages[0]?.context], ['m', 'complete', []]);
    assert.deepEqual((await chats.get('c1')).messages, []);
  });
});

describe('fetchStatus', () => {
  it('says which side is older', async () => {
    const newer = await failure(fetchStatus(apiOf(json({ protocol_version: 2 })).api, trans));
    assert.match(newer.hint, /page is the older/);
    const older = await failure(fetchStatus(apiOf(json({ protocol_version: 0 })).api, trans));
    assert.match(older.hint, /server is the older/);
  });
});

describe('probeBy', () => {
  const cases: [Response | Error, string][] = [
    [json(STATUS), 'there'],
    [new TypeError('fetch failed'), 'away'],
    [new Response('', { status: 503 }), 'away'],
    [new Response('', { status: 404 }), 'refused'],
    [json({ error: { code: 'forbidden', message: 'No.', hint: '' } }, 403), 'refused'],
    [json({ protocol_version: 2 }), 'refused']
  ];
  for (const [reply, kind] of cases) {
    it(`tells ${reply instanceof Error ? 'no network' : reply.status}: ${kind}`, async () => {
      const probe = await probeBy(() => fetchStatus(apiOf(reply).api, trans));
      assert.equal(probe.kind, kind);
    });
  }
});
