/** The golden frames that pytest reads too are read and written here as the server does. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import {
  readServerFrame,
  SERVER_FRAME_TYPES,
  writeAsk,
  writeCancel,
  writeResume
} from '../frames.js';
import type { Ask } from '../frames';
import { readContextItem, writeContextItem } from '../chat_guards.js';
import { ProtocolError } from '../protocol.js';

const FOLDER = join(import.meta.dirname, '../../../tests/data/protocol');
const FILES = readdirSync(FOLDER).filter(name => name.endsWith('.json'));

type JSONObject = Record<string, unknown>;

function golden(name: string): JSONObject[] {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf-8')) as JSONObject[];
}

/** snake_case, as the wire has it, to camelCase, at every level; `null` for what is left out. */
function camel(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(camel);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      camel(inner)
    ])
  );
}

/** Every field of the wire is found again, with its value, in what was read. */
function assertContains(read: unknown, wire: unknown, where: string): void {
  if (Array.isArray(wire)) {
    assert.ok(Array.isArray(read), where);
    wire.forEach((item, index) => {
      assertContains((read as unknown[])[index], item, `${where}[${index}]`);
    });
  } else if (typeof wire === 'object' && wire !== null) {
    for (const [key, inner] of Object.entries(wire)) {
      assertContains((read as JSONObject)[key], inner, `${where}.${key}`);
    }
  } else {
    assert.equal(read, wire, where);
  }
}

/** What the page has no use for. */
const UNREAD = ['cache_n', 'prompt_n', 'prompt_per_second', 'predicted_n', 'predicted_ms'];
const UNREAD_OF_ERRORS = ['type', 'param', 'details'];

function withoutUnread(frame: JSONObject): JSONObject {
  const text = JSON.stringify(frame, (key, value: unknown) => {
    if (UNREAD.includes(key)) {
      return undefined;
    }
    if (key === 'error' && typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).filter(([name]) => !UNREAD_OF_ERRORS.includes(name))
      );
    }
    return value;
  });
  return JSON.parse(text) as JSONObject;
}

describe('golden frames', () => {
  it('has a reader or a writer for every file', () => {
    const server = SERVER_FRAME_TYPES.map(type => `server_${type}.json`);
    // `start` is for clients that keep their own history; this page only asks in kept chats.
    const client = ['ask', 'cancel', 'resume', 'start'].map(type => `client_${type}.json`);
    assert.deepEqual([...FILES].sort(), [...server, ...client].sort());
  });

  for (const name of FILES.filter(file => file.startsWith('server_'))) {
    it(`reads ${name}`, () => {
      for (const wire of golden(name)) {
        const frame = readServerFrame(JSON.stringify(wire));
        assertContains(frame, camel(withoutUnread(wire)), name);
      }
    });

    it(`refuses ${name} with a field of another type`, () => {
      for (const wire of golden(name)) {
        for (const key of Object.keys(wire)) {
          const broken = JSON.stringify({ ...wire, [key]: [{}] });
          assert.throws(() => readServerFrame(broken), ProtocolError, `${name} ${key}`);
        }
      }
    });
  }

  it('writes client_ask.json', () => {
    for (const wire of golden('client_ask.json')) {
      const read = camel(wire) as Partial<Ask>;
      const message = wire.message as JSONObject | undefined;
      const items = (message?.context ?? []) as unknown[];
      const ask: Ask = {
        requestId: read.requestId ?? '',
        chatId: read.chatId ?? '',
        parentId: read.parentId ?? null,
        message: read.message
          ? {
              ...read.message,
              action: (message?.action as string | undefined) ?? '',
              context: items.map(item => readContextItem(item, 'item'))
            }
          : null,
        model: read.model ?? '',
        maxTokens: read.maxTokens ?? null,
        temperature: read.temperature ?? null,
        seed: read.seed ?? null
      };
      assert.deepEqual(JSON.parse(JSON.stringify(writeAsk(ask))), wire);
    }
  });

  it('writes client_cancel.json and client_resume.json', () => {
    for (const wire of golden('client_cancel.json')) {
      assert.deepEqual(writeCancel(String(wire.request_id)), wire);
    }
    for (const wire of golden('client_resume.json')) {
      assert.deepEqual(writeResume(String(wire.request_id), Number(wire.last_seq)), wire);
    }
  });
});

describe('readServerFrame', () => {
  it('passes over what a newer server may say', () => {
    assert.equal(readServerFrame('{"type": "weather", "sunny": true}'), null);
    assert.equal(readServerFrame('{"type": "constructor"}'), null);
  });

  for (const text of ['', 'x', '[]', 'null', '{}', '{"type": 1}', '{"type": "delta"}']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => readServerFrame(text), ProtocolError);
    });
  }

  it('refuses a delta that ends before it begins', () => {
    const frame = { type: 'delta', request_id: 'r', first_seq: 3, seq: 2, text: 'x' };
    assert.throws(() => readServerFrame(JSON.stringify(frame)), /first_seq/);
  });

  it('refuses numbers that are no counts', () => {
    for (const seq of [-1, 1.5, 2 ** 60]) {
      const frame = { type: 'start', request_id: 'r', seq, model: '' };
      assert.throws(() => readServerFrame(JSON.stringify(frame)), /seq should be a whole number/);
    }
  });
});

describe('writeContextItem', () => {
  it('is what readContextItem reads', () => {
    const item = {
      kind: 'variable',
      label: '@var:x',
      text: 'ä\n{y}',
      source: '',
      language: '',
      isTruncated: true,
      tokens: 0
    } as const;
    assert.deepEqual(readContextItem(writeContextItem(item), 'item'), item);
  });
});
