/** The connection: hello, loss and return, and answers that arrive whole whatever is cut. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Ask } from '../frames';
import { ChatConnection, LOST_CODE } from '../service/connection.js';
import type { DeliveredFrame } from '../service/connection';
import { FakePorts } from './fake_ports.js';

const trans = {
  __: (text: string, ...args: unknown[]) =>
    text.replace(/%(\d+)/g, (_, index: string) => String(args[Number(index) - 1]))
};

const ASK: Ask = {
  requestId: 'r1',
  chatId: 'c1',
  parentId: null,
  message: { messageId: 'q1', content: 'hello', action: '', context: [] },
  model: '',
  maxTokens: 10,
  temperature: null,
  seed: null
};

function delta(seq: number, text: string, firstSeq = seq): object {
  return { type: 'delta', request_id: 'r1', first_seq: firstSeq, seq, text };
}

function open(): { ports: FakePorts; connection: ChatConnection; seen: DeliveredFrame[] } {
  const ports = new FakePorts();
  const connection = new ChatConnection(ports, trans);
  const seen: DeliveredFrame[] = [];
  connection.frame.connect((_, frame) => {
    seen.push(frame);
  });
  return { ports, connection, seen };
}

function sentTypes(frames: readonly Record<string, unknown>[]): unknown[] {
  return frames.map(({ type }) => type);
}

describe('ChatConnection', () => {
  it('is open after the hello and sends what waited', () => {
    const { ports, connection } = open();
    assert.equal(connection.state.kind, 'connecting');
    connection.ask(ASK);
    connection.follow('r0');
    connection.cancel('r9');
    assert.deepEqual(ports.socket.sent, []);
    ports.socket.hello();
    assert.equal(connection.state.kind, 'open');
    assert.deepEqual(sentTypes(ports.socket.sent), ['resume', 'ask', 'cancel']);
  });

  it('takes a question back that has not left, and no other', () => {
    const { ports, connection } = open();
    connection.ask(ASK);
    assert.equal(connection.withdraw('r1'), true);
    ports.socket.hello();
    assert.deepEqual(ports.socket.sent, []);
    connection.ask(ASK);
    assert.equal(connection.withdraw('r1'), false);
  });

  for (const [version, older] of [[2, /This page is the older/], [0, /server is the older/]] as const) {
    it(`says which side is older where the server speaks version ${version}`, async () => {
      const { ports, connection } = open();
      ports.socket.hello(version);
      assert.ok(connection.state.kind === 'refused');
      assert.match(connection.state.hint, older);
      assert.ok(ports.socket.isClosed);
      await ports.pass(600_000);
      assert.equal(ports.sockets.length, 1, 'it is not tried in a loop');
      ports.wake('visible');
      assert.equal(ports.sockets.length, 2);
    });
  }

  it('does not try again by itself where the server refuses', async () => {
    const { ports, connection } = open();
    const error = { code: 'extension_missing', message: 'No extension.', hint: 'Install.' };
    ports.probeResult = { kind: 'refused', error };
    ports.socket.cut();
    await ports.pass(600_000);
    assert.deepEqual(connection.state, { kind: 'refused', message: 'No extension.', hint: 'Install.' });
    assert.equal(ports.sockets.length, 1);
    connection.retry();
    ports.socket.hello();
    assert.equal(connection.state.kind, 'open');
  });

  it('comes back after a loss, waiting longer each time', async () => {
    const { ports, connection } = open();
    ports.socket.hello();
    ports.socket.cut();
    assert.equal(connection.state.kind, 'lost');
    const times: number[] = [];
    for (let i = 0; i < 9; i++) {
      const before = ports.sockets.length;
      const start = ports.now();
      while (ports.sockets.length === before) {
        await ports.pass(10);
      }
      times.push(ports.now() - start);
      ports.socket.cut();
    }
    assert.deepEqual(times.slice(0, 4), [150, 300, 600, 1200]);
    assert.equal(times.at(-1), 7500);
    await ports.pass(10_000);
    ports.socket.hello();
    assert.equal(connection.state.kind, 'open');
  });

  it('comes back at once when the page is seen or the network is back', async () => {
    const { ports, connection } = open();
    ports.socket.hello();
    ports.socket.cut();
    await ports.pass(0);
    ports.wake('visible');
    assert.equal(ports.sockets.length, 2);
    ports.socket.hello();
    ports.wake('visible');
    assert.equal(ports.sockets.length, 2, 'an open connection is left alone');
    ports.wake('online');
    assert.equal(ports.sockets.length, 3, 'but for one that may be dead');
    assert.equal(connection.state.kind, 'lost');
  });

  it('gives up a socket that says nothing', async () => {
    const { ports } = open();
    await ports.pass(20_000);
    assert.ok(ports.sockets.length >= 2);
    assert.ok(ports.sockets[0]?.isClosed);
  });

  it('says so where HTTP works and websockets do not, and goes on trying', async () => {
    const { ports, connection } = open();
    ports.probeResult = { kind: 'there' };
    for (let i = 0; i < 4; i++) {
      ports.socket.cut();
      await ports.pass(10_000);
    }
    assert.ok(connection.state.kind === 'refused');
    assert.match(connection.state.hint, /proxy/);
    ports.socket.hello();
    assert.equal(connection.state.kind, 'open');
  });

  it('lets each frame through once and in order', () => {
    const { ports, connection, seen } = open();
    ports.socket.hello();
    connection.ask(ASK);
    const { socket } = ports;
    socket.tell({ type: 'start', request_id: 'r1', seq: 1, model: 'm' });
    socket.tell(delta(2, 'a'));
    socket.tell(delta(2, 'a'));
    socket.tell(delta(5, 'cde', 3));
    socket.tell({ type: 'start', request_id: 'somebody', seq: 1, model: 'm' });
    assert.equal(seen.map(frame => (frame.type === 'delta' ? frame.text : '|')).join(''), '|acde');
    assert.deepEqual(sentTypes(socket.sent), ['ask']);
  });

  it('asks again from the last good frame after a gap or an overlap', () => {
    for (const odd of [delta(4, 'd'), delta(3, 'bc', 2)]) {
      const { ports, connection, seen } = open();
      ports.socket.hello();
      connection.follow('r1');
      const { socket } = ports;
      socket.tell({ type: 'start', request_id: 'r1', seq: 1, model: 'm' });
      socket.tell(delta(2, 'b'));
      socket.tell(odd);
      assert.deepEqual(socket.sent.at(-1), { type: 'resume', request_id: 'r1', last_seq: 2 });
      socket.tell(delta(5, 'e'));
      assert.equal(socket.sent.length, 2, 'once');
      socket.tell(delta(5, 'cde', 3));
      assert.deepEqual(seen.map(frame => (frame.type === 'delta' ? frame.text : '')), ['', 'b', 'cde']);
    }
  });

  it('gives an answer up whose frames never come', async () => {
    const { ports, connection, seen } = open();
    ports.socket.hello();
    connection.follow('r1');
    for (let i = 0; i < 20; i++) {
      await ports.pass(3000);
      ports.socket.tell(delta(9, 'x'));
    }
    const [last] = seen;
    assert.ok(seen.length === 1 && last?.type === 'error' && last.error.code === LOST_CODE);
  });

  it('resumes what it followed, but not a question in doubt', async () => {
    const { ports, connection } = open();
    ports.socket.hello();
    connection.ask(ASK);
    connection.ask({ ...ASK, requestId: 'r2' });
    ports.socket.tell({ type: 'start', request_id: 'r1', seq: 1, model: 'm' });
    const old = ports.socket;
    old.cut();
    await ports.pass(1000);
    ports.socket.hello();
    assert.deepEqual(ports.socket.sent, [{ type: 'resume', request_id: 'r1', last_seq: 1 }]);
  });

  it('passes over a frame that it cannot read and asks for what it held', async t => {
    t.mock.method(console, 'warn', () => undefined);
    const { ports, connection, seen } = open();
    ports.socket.hello();
    connection.follow('r1');
    ports.socket.tell({ type: 'start', request_id: 'r1', seq: 1 });
    ports.socket.tell(delta(2, 'x'));
    assert.deepEqual(seen, []);
    assert.deepEqual(sentTypes(ports.socket.sent), ['resume']);
    await ports.pass(2000);
    assert.deepEqual(sentTypes(ports.socket.sent), ['resume', 'resume']);
    ports.socket.tell(delta(2, 'x', 1));
    await ports.pass(10_000);
    assert.equal(ports.socket.sent.length, 2);
  });

  it('does not hear what an old socket still says', async () => {
    const { ports, connection, seen } = open();
    ports.socket.hello();
    connection.follow('r1');
    const old = ports.socket;
    ports.wake('online');
    ports.socket.hello();
    old.tell({ type: 'start', request_id: 'r1', seq: 1, model: 'm' });
    old.cut();
    await ports.pass(10_000);
    assert.deepEqual(seen, []);
    assert.equal(connection.state.kind, 'open');
  });

  it('lets go of everything', () => {
    const { ports, connection } = open();
    ports.socket.hello();
    ports.socket.cut();
    connection.dispose();
    connection.retry();
    assert.equal(ports.nTimers, 0);
    assert.equal(ports.nWakers, 0);
    assert.equal(ports.sockets.length, 1);
  });
});
