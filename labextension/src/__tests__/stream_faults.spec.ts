/** 500 answers over a wire that cuts, doubles, merges and swaps: the text is whole every time. */

import assert from 'node:assert/strict';
import { it } from 'node:test';

import { ChatConnection } from '../service/connection.js';
import type { FakeSocket } from './fake_ports.js';
import { FakePorts } from './fake_ports.js';
import { choose, seeded } from './seeded.js';

const trans = { __: (text: string) => text };

const PIECES = ['Grüße ', '👩‍🚀', '日本', '\n```py\n', '{x}', 'a', 'é', '  ', '\u2028', '"\\'];

/** An answer of the server, numbered from 1; text is the events 2 to n. */
class FakeStream {
  readonly texts: readonly string[];
  private _position = 0;

  constructor(private readonly _random: () => number) {
    const length = 5 + Math.floor(_random() * 120);
    this.texts = Array.from({ length }, () => choose(_random, PIECES));
  }

  get text(): string {
    return this.texts.join('');
  }

  get lastSeq(): number {
    return this.texts.length + 2;
  }

  resume(lastSeq: number): void {
    this._position = lastSeq;
  }

  /** The next frame for the page, with as many pieces merged as chance has it. */
  next(): object | null {
    const request_id = 'r1';
    const seq = this._position + 1;
    if (seq > this.lastSeq) {
      return null;
    }
    if (seq === 1) {
      this._position = 1;
      return { type: 'start', request_id, seq, model: 'm' };
    }
    if (seq === this.lastSeq) {
      this._position = seq;
      const usage = { prompt_tokens: 1, completion_tokens: 1, cached_tokens: 0 };
      const end = { finish_reason: 'stop', usage, timings: {}, model: 'm' };
      return { type: 'done', request_id, seq, ...end };
    }
    const last = Math.min(seq + Math.floor(this._random() ** 3 * 20), this.lastSeq - 1);
    this._position = last;
    const text = this.texts.slice(seq - 2, last - 1).join('');
    return { type: 'delta', request_id, first_seq: seq, seq: last, text };
  }
}

interface Outcome {
  readonly text: string;
  readonly nStarts: number;
  readonly nDone: number;
  readonly nCuts: number;
}

/** Play one answer to its end. */
async function play(stream: FakeStream, random: () => number): Promise<Outcome> {
  const ports = new FakePorts(random);
  const connection = new ChatConnection(ports, trans);
  let text = '';
  let [nStarts, nDone, nCuts] = [0, 0, 0];
  connection.frame.connect((_, frame) => {
    text += frame.type === 'delta' ? frame.text : '';
    nStarts += frame.type === 'start' ? 1 : 0;
    nDone += frame.type === 'done' ? 1 : 0;
  });
  connection.follow('r1');
  const old: object[] = [];
  for (let step = 0; nDone === 0 && step < 5000; step++) {
    if (ports.sockets.length === 0 || ports.socket.isClosed) {
      await ports.pass(500);
      continue;
    }
    const { socket } = ports;
    greet(socket, stream);
    const dice = random();
    if (dice < 0.06) {
      nCuts += 1;
      socket.cut();
    } else if (dice < 0.12 && old.length > 0) {
      socket.tell(choose(random, old));
    } else if (dice < 0.18) {
      const [first, second] = [stream.next(), stream.next()];
      for (const frame of [second, first]) {
        if (frame !== null) {
          socket.tell(frame);
        }
      }
    } else if (dice < 0.22) {
      await ports.pass(2500);
    } else {
      const frame = stream.next();
      if (frame === null) {
        // All was sent; what is missing is asked for after a while.
        await ports.pass(2500);
      } else {
        old.push(frame);
        socket.tell(frame);
      }
    }
  }
  connection.dispose();
  return { text, nStarts, nDone, nCuts };
}

function greet(socket: FakeSocket, stream: FakeStream): void {
  if (socket.sent.length === 0) {
    socket.onSent = frame => {
      stream.resume(Number(frame.last_seq));
    };
    socket.hello();
  }
}

it('joins 500 answers byte for byte over faulty wires', async () => {
  let nCuts = 0;
  for (let seed = 1; seed <= 500; seed++) {
    const random = seeded(seed);
    const stream = new FakeStream(random);
    const outcome = await play(stream, random);
    assert.equal(outcome.text, stream.text, `seed ${seed}`);
    assert.deepEqual([outcome.nStarts, outcome.nDone], [1, 1], `seed ${seed}`);
    nCuts += outcome.nCuts;
  }
  assert.ok(nCuts > 500, `${nCuts} cuts`);
});
