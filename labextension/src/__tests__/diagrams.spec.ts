/** Diagrams without a page: what is read, asked, kept, compared and measured. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { bytesOf, pngUrl, svgUrl } from '../diagrams/data_url.js';
import { differenceOf } from '../diagrams/difference.js';
import { Drawings } from '../diagrams/drawings.js';
import { DiagramEndpoint } from '../diagrams/endpoint.js';
import type { DrawQuestion, IDiagramEndpoint } from '../diagrams/endpoint';
import { cellOf, faultOf, kindOf, readDrawing, readKept } from '../diagrams/nouns.js';
import type { Drawing } from '../diagrams/nouns';
import { fitted, moved, zoomed } from '../diagrams/pan_zoom.js';
import { Repairs } from '../diagrams/repairs.js';
import { Api, ApiError } from '../service/api.js';
import { trans } from './chat_page.js';

const REPLY = {
  kind: 'dot',
  source: 'digraph{a}',
  given: 'digraph{a',
  theme: 'neutral',
  svg: '<svg/>',
  png: 'AAAA',
  width: 10,
  height: 20.5,
  alt: 'A graph.',
  changes: ['A brace was closed.'],
  attempts: 0
};

function question(source: string, theme: DrawQuestion['theme'] = 'default'): DrawQuestion {
  return { kind: 'dot', source, theme };
}

function failure(code: string): ApiError {
  return new ApiError({ code, message: 'No.', hint: 'Later.', details: { line: 3 } }, 400);
}

/** An endpoint whose answers wait until the test gives them. */
class FakeEndpoint implements IDiagramEndpoint {
  readonly asked: {
    readonly question: DrawQuestion;
    readonly give: (drawing: Drawing) => void;
    readonly fail: (error: Error) => void;
  }[] = [];
  signal: AbortSignal | null = null;

  draw(asked: DrawQuestion): Promise<Drawing> {
    return new Promise((resolve, reject) => {
      this.asked.push({ question: asked, give: resolve, fail: reject });
    });
  }

  repair(asked: DrawQuestion, _model: string, signal: AbortSignal): Promise<Drawing> {
    this.signal = signal;
    return new Promise((resolve, reject) => {
      this.asked.push({ question: asked, give: resolve, fail: reject });
      signal.addEventListener('abort', () => {
        reject(failure('server_away'));
      });
    });
  }

  answer(index: number, size = 1): void {
    const { question: asked, give } = this.asked[index] ?? assert.fail('nothing was asked');
    give({ ...readDrawing(REPLY), ...asked, svg: 'x'.repeat(size) });
  }
}

/** Let what was promised come about. */
async function settle(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
}

describe('guards', () => {
  it('read a reply, and refuse another one', () => {
    assert.equal(readDrawing(REPLY).changes.length, 1);
    for (const wrong of [{ theme: 'pink' }, { kind: 'svg' }, { width: '1' }, { png: 1 }]) {
      assert.throws(() => readDrawing({ ...REPLY, ...wrong }), /drawing\./);
    }
  });

  it('find the line of an error, and only a line', () => {
    const wire = { code: 'diagram_invalid', message: 'No.', hint: '' };
    assert.equal(faultOf({ ...wire, details: { line: 4 } }).line, 4);
    for (const line of [0, -1, 1.5, '4', null, Number.NaN]) {
      assert.equal(faultOf({ ...wire, details: { line } }).line, 0);
    }
    assert.equal(faultOf(wire).line, 0);
  });

  it('read what a notebook keeps, whoever wrote it', () => {
    const kept = { kind: 'mermaid', source: 'graph TD', alt: 'A graph.', theme: 'dark' };
    assert.deepEqual(readKept(kept), kept);
    assert.equal(readKept({ ...kept, theme: 'neutral' })?.theme, null);
    assert.deepEqual(readKept({ kind: 'dot', source: 'a', alt: 1, theme: 'pink' }), {
      kind: 'dot',
      source: 'a',
      alt: '',
      theme: null
    });
    for (const other of [null, [], 'graph', { kind: 'svg', source: 'a' }, { kind: 'dot' }]) {
      assert.equal(readKept(other), null);
    }
  });

  it('know the names of languages', () => {
    assert.deepEqual(['mermaid', 'dot', 'graphviz', 'python', ''].map(kindOf), [
      'mermaid',
      'dot',
      'dot',
      null,
      null
    ]);
    assert.equal(cellOf('dot', 'digraph{}\n\n'), '%%dot\ndigraph{}');
  });
});

describe('addresses of pictures', () => {
  it('hold all of a picture, also beyond ASCII and in size', () => {
    const svg = `<svg>日本語 👩‍🚀 ${'é'.repeat(200_000)}</svg>`;
    const url = svgUrl(svg) ?? '';
    assert.ok(url.startsWith('data:image/svg+xml;base64,'));
    assert.equal(new TextDecoder().decode(bytesOf(url.split(',')[1] ?? '')), svg);
    assert.equal(pngUrl('iVBO\nRw0K\n'), 'data:image/png;base64,iVBORw0K');
  });

  it('are not made of anything else', () => {
    assert.equal(svgUrl('<html><script>x</script>'), null);
    assert.equal(svgUrl(''), null);
    assert.equal(svgUrl(`<svg>${' '.repeat(13_000_000)}</svg>`), null);
    assert.equal(pngUrl('http://evil.example/x.png'), null);
    assert.equal(pngUrl('AAAA" onload="x'), null);
  });
});

describe('drawings', () => {
  it('are asked for once, two at a time, in order', async () => {
    const endpoint = new FakeEndpoint();
    const drawings = new Drawings(endpoint);
    const results = ['a', 'a', 'b', 'c', 'd'].map(source => drawings.draw(question(source)));
    await settle();
    assert.deepEqual(
      endpoint.asked.map(({ question: { source } }) => source),
      ['a', 'b']
    );
    endpoint.answer(1);
    await settle();
    endpoint.answer(2);
    await settle();
    assert.equal(endpoint.asked[3]?.question.source, 'd');
    endpoint.answer(0);
    endpoint.answer(3);
    const sources = (await Promise.all(results)).map(({ drawing }) => drawing?.source);
    assert.deepEqual(sources, ['a', 'a', 'b', 'c', 'd']);
    assert.equal((await drawings.draw(question('a'))).drawing?.source, 'a');
    assert.equal(endpoint.asked.length, 4);
    void drawings.draw(question('a', 'dark'));
    await settle();
    assert.equal(endpoint.asked.length, 5);
  });

  it('keep why a source cannot be drawn, but not that the server was away', async () => {
    const endpoint = new FakeEndpoint();
    const drawings = new Drawings(endpoint);
    for (const [code, isKept] of [
      ['diagram_invalid', true],
      ['diagram_too_large', true],
      ['server_away', false],
      ['queue_full', false],
      ['diagrams_unavailable', false]
    ] as const) {
      const result = drawings.draw(question(code));
      await settle();
      endpoint.asked.at(-1)?.fail(failure(code));
      assert.equal((await result).fault?.line, 3);
      assert.equal(drawings.peek(question(code)) !== null, isKept, code);
    }
  });

  it('do not fill the page: the oldest go first', async () => {
    const endpoint = new FakeEndpoint();
    const drawings = new Drawings(endpoint);
    for (const [index, source] of ['a', 'b', 'c'].entries()) {
      const result = drawings.draw(question(source));
      await settle();
      endpoint.answer(index, 10_000_000);
      await result;
      if (source === 'b') {
        await drawings.draw(question('a'));
      }
    }
    const kept = ['a', 'b', 'c'].map(source => drawings.peek(question(source)) !== null);
    assert.deepEqual(kept, [true, false, true]);
  });

  it('keep what came another way', async () => {
    const drawings = new Drawings(new FakeEndpoint());
    drawings.remember({ ...readDrawing(REPLY), theme: 'dark' });
    const { drawing } = await drawings.draw(question(REPLY.source, 'dark'));
    assert.equal(drawing?.alt, REPLY.alt);
  });

  it('give their place back where the endpoint itself is broken', async () => {
    const endpoint = new FakeEndpoint();
    const drawings = new Drawings(endpoint);
    const broken = ['a', 'b'].map(source => drawings.draw(question(source)));
    await settle();
    for (const { fail } of endpoint.asked) {
      fail(new TypeError('a bug'));
    }
    for (const result of await Promise.allSettled(broken)) {
      assert.equal(result.status, 'rejected');
    }
    void drawings.draw(question('a'));
    await settle();
    assert.equal(endpoint.asked.length, 3);
  });
});

describe('repairs', () => {
  it('are made once and found again', async () => {
    const endpoint = new FakeEndpoint();
    const repairs = new Repairs(endpoint);
    assert.equal(repairs.wasAsked(question('a')), false);
    const repair = repairs.start(question('a'), 'big');
    assert.equal(repairs.start(question('a', 'dark'), 'big'), repair);
    assert.equal(repairs.running(question('a')), repair);
    endpoint.asked[0]?.give({ ...readDrawing(REPLY), source: 'good', attempts: 1 });
    assert.equal((await repair.done).kind, 'repaired');
    assert.equal(repairs.running(question('a')), null);
    assert.equal(repairs.repairedSource(question('a', 'dark')), 'good');
    assert.equal(repairs.wasAsked(question('a')), true);
    assert.equal(endpoint.asked.length, 1);
  });

  it('stop, and can be begun again', async () => {
    const endpoint = new FakeEndpoint();
    const repairs = new Repairs(endpoint);
    const repair = repairs.start(question('a'), '');
    repair.stop();
    assert.equal((await repair.done).kind, 'stopped');
    assert.equal(endpoint.signal?.aborted, true);
    assert.equal(repairs.repairedSource(question('a')), null);
    const again = repairs.start(question('a'), '');
    endpoint.asked[1]?.fail(failure('diagram_invalid'));
    const result = await again.done;
    assert.equal(result.kind === 'failed' && result.fault.code, 'diagram_invalid');
  });
});

describe('the endpoint', () => {
  it('asks for what is meant, and reads the fault', async () => {
    const sent: [string, unknown][] = [];
    const error = { code: 'diagram_invalid', message: 'No.', hint: '', details: { line: 2 } };
    const replies = [
      new Response(JSON.stringify(REPLY)),
      new Response(JSON.stringify(REPLY)),
      new Response(JSON.stringify({ error }), { status: 400 })
    ];
    const api = new Api((path, init) => {
      sent.push([path, JSON.parse(init.body as string)]);
      return Promise.resolve(replies.shift() ?? Response.error());
    }, trans);
    const endpoint = new DiagramEndpoint(api);
    await endpoint.draw(question('a'));
    await endpoint.repair(question('b'), 'big', new AbortController().signal);
    await assert.rejects(endpoint.draw(question('c')), (raised: unknown) => {
      assert.ok(raised instanceof ApiError);
      assert.equal(faultOf(raised.wire).line, 2);
      return true;
    });
    assert.deepEqual(sent.slice(0, 2), [
      ['localllm/diagrams', { kind: 'dot', source: 'a', theme: 'default' }],
      ['localllm/diagrams/repair', { kind: 'dot', source: 'b', theme: 'default', model: 'big' }]
    ]);
  });
});

describe('the difference of two sources', () => {
  it('takes lines out and puts lines in', () => {
    const lines = differenceOf('pie\n a\n b\n', 'pie\r\n c\r\n b\r\n d');
    assert.deepEqual(
      lines.map(({ sign, text }) => sign + text),
      [' pie', '- a', '+ c', '  b', '+ d']
    );
  });

  it('can be read back, whatever the texts', () => {
    const letters = ['a', 'b', 'c', ''];
    const pick = (seed: number) => letters[seed % 4] ?? '';
    for (let seed = 0; seed < 300; seed += 1) {
      const before = [seed, seed >> 1, seed >> 3, seed >> 5].map(pick).join('\n');
      const after = [seed >> 2, seed * 7, seed >> 4].map(pick).join('\n');
      const lines = differenceOf(before, after);
      const side = (left: string) =>
        lines.filter(({ sign }) => sign !== left).map(({ text }) => text);
      assert.equal(side('+').join('\n'), before.replace(/\n+$/, ''));
      assert.equal(side('-').join('\n'), after.replace(/\n+$/, ''));
    }
  });

  it('does not try long texts', () => {
    const lines = differenceOf('a\n'.repeat(2000), 'b\n'.repeat(2000));
    assert.equal(lines.length, 4000);
  });
});

describe('pan and zoom', () => {
  const picture = { width: 400, height: 200 };
  const frame = { width: 1000, height: 800 };

  it('fits the picture in, in the middle, at most twice as large', () => {
    assert.deepEqual(fitted(picture, frame), { x: 100, y: 200, scale: 2 });
    const small = fitted({ width: 4000, height: 400 }, frame);
    assert.deepEqual(small, { x: 0, y: 350, scale: 0.25 });
  });

  it('keeps the point under the pointer where it is, within limits', () => {
    const place = fitted(picture, frame);
    const larger = zoomed(place, 1.5, 300, 400);
    const [before, after] = [place, larger].map(({ x, scale }) => (300 - x) / scale);
    assert.ok(Math.abs((before ?? 0) - (after ?? 1)) < 1e-9);
    assert.equal(zoomed(place, 1e9, 0, 0).scale, 20);
    assert.equal(zoomed(place, 1e-9, 0, 0).scale, 0.05);
  });

  it('leaves a piece of the picture in the frame', () => {
    const place = fitted(picture, frame);
    assert.equal(moved(place, 1e9, 0, picture, frame).x, 960);
    assert.equal(moved(place, -1e9, 0, picture, frame).x, 40 - 800);
    assert.equal(moved(place, 0, 10, picture, frame).y, place.y + 10);
  });
});
