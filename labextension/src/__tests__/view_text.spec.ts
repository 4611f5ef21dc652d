/** The sentences of the chat's view: only what was measured, and always the next step. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { MessageRecord } from '../chat_protocol.js';
import type { AnswerProgress, ShownMessage } from '../chat/state.js';
import {
  insertCompletion,
  isWholeMention,
  stepThroughHistory,
  withoutMention
} from '../chat/view/draft_text.js';
import {
  describeAnswer,
  describeConnection,
  describeEnding,
  describeLeftOut,
  describeProgress,
  describeTokens,
  fileNameOf,
  progressPart
} from '../chat/view/text.js';
import type { Translator } from '../chat/view/text.js';

function put(text: string, args: readonly unknown[]): string {
  return text.replace(/%(\d+)/g, (_, index: string) => String(args[Number(index) - 1]));
}

const trans: Translator = {
  __: (text, ...args) => put(text, args),
  _n: (singular, plural, n, ...args) => put(n === 1 ? singular : plural, args)
};

const ANSWER: MessageRecord = {
  messageId: 'a',
  role: 'assistant',
  content: 'text',
  createdMs: 0,
  parentId: 'q',
  state: 'complete',
  action: '',
  context: [],
  model: '/models/small.gguf',
  finishReason: 'stop',
  usage: { promptTokens: 1224, completionTokens: 310, cachedTokens: 1180 },
  timings: { promptMs: 90, predictedPerSecond: 103.4, queueMs: 0, firstTokenMs: 155 },
  seed: null,
  error: null,
  nLeftOut: 0,
  firstSentId: null
};

const NOTHING: AnswerProgress = {
  queuePosition: null,
  promptTokensDone: null,
  promptTokensTotal: null,
  isLoadingModel: false,
  loadProgress: null
};

describe('the footer of an answer', () => {
  it('says what was measured', () => {
    assert.deepEqual(describeAnswer(ANSWER, trans), [
      'small.gguf',
      'first token 0.16 s',
      '103 tokens/s',
      'reused 1,180 of 1,224 prompt tokens'
    ]);
  });

  it('says nothing that was not', () => {
    assert.deepEqual(describeAnswer({ ...ANSWER, usage: null, timings: null }, trans), ['small.gguf']);
    assert.deepEqual(describeAnswer({ ...ANSWER, state: 'stopped' }, trans), ['small.gguf']);
    const usage = { promptTokens: 10, completionTokens: 1, cachedTokens: 0 };
    const timings = { promptMs: 0, predictedPerSecond: 0, queueMs: 0, firstTokenMs: 0 };
    assert.deepEqual(describeAnswer({ ...ANSWER, usage, timings }, trans), ['small.gguf']);
  });
});

describe('the end of an answer', () => {
  it('is explained where it is not the whole answer', () => {
    assert.equal(describeEnding(ANSWER, trans), null);
    assert.match(describeEnding({ ...ANSWER, finishReason: 'length' }, trans)?.message ?? '', /limit/);
    assert.equal(describeEnding({ ...ANSWER, state: 'interrupted' }, trans)?.isError, true);
    const error = { code: 'worker_crashed', message: 'It ended.', hint: 'Ask again.' };
    assert.deepEqual(describeEnding({ ...ANSWER, state: 'failed', error }, trans), {
      message: 'It ended.',
      hint: 'Ask again.',
      isError: true
    });
  });
});

describe('what goes on before the first token', () => {
  it('is said in numbers', () => {
    const say = (part: Partial<AnswerProgress>) => describeProgress({ ...NOTHING, ...part }, trans);
    assert.equal(say({}), 'Starting…');
    assert.equal(say({ isLoadingModel: true, loadProgress: 0.4 }), 'Loading model 40 %');
    assert.equal(say({ queuePosition: 2 }), 'Waiting: number 2 in the queue');
    assert.equal(
      say({ promptTokensDone: 512, promptTokensTotal: 1224 }),
      'Reading the prompt: 512 of 1,224 tokens'
    );
    assert.equal(progressPart({ ...NOTHING, promptTokensDone: 1, promptTokensTotal: 4 }), 0.25);
    assert.equal(progressPart({ ...NOTHING, promptTokensDone: 1, promptTokensTotal: 0 }), null);
  });
});

describe('sentences', () => {
  it('count', () => {
    assert.match(describeLeftOut(7, trans), /^7 earlier messages no longer fit/);
    assert.match(describeLeftOut(1, trans), /^1 earlier message no longer fits/);
    assert.equal(describeTokens(1234, trans), '1,234 tokens');
    assert.equal(describeTokens(null, trans), 'counting…');
  });

  it('say how the connection is, when it is not good', () => {
    assert.equal(describeConnection({ kind: 'open' }, trans), null);
    assert.match(describeConnection({ kind: 'lost' }, trans)?.message ?? '', /Reconnecting/);
  });

  it('make names of files that every system takes', () => {
    assert.equal(fileNameOf('a/b: "c"\n?', 'md'), 'a b c.md');
    assert.equal(fileNameOf('..', 'chat'), 'chat.chat');
  });
});

describe('the draft', () => {
  const whole = { kind: 'context', label: '@cell', caption: '', insert: '@cell', whyNot: null } as const;

  it('takes a completion in, and gives a mention out', () => {
    const list = { start: 4, end: 7, items: [whole] };
    assert.deepEqual(insertCompletion('see @ce now', list, whole), { text: 'see @cell now', cursor: 9 });
    assert.deepEqual(withoutMention('see @ce now', 4, 7), { text: 'see now', cursor: 4 });
    assert.deepEqual(withoutMention('@ce', 0, 3), { text: '', cursor: 0 });
  });

  it('tells whole mentions from those that go on', () => {
    assert.ok(isWholeMention(whole));
    assert.ok(!isWholeMention({ ...whole, insert: '@file:' }));
    assert.ok(!isWholeMention({ ...whole, kind: 'file', insert: '@file:"my folder/' }));
    assert.ok(!isWholeMention({ ...whole, kind: 'command', insert: '/help ' }));
  });

  it('goes through the own questions', () => {
    const ask = (content: string): ShownMessage => ({
      record: { ...ANSWER, role: 'user', content },
      siblingIndex: 0,
      siblingIds: []
    });
    const messages = [ask('one'), { record: ANSWER, siblingIndex: 0, siblingIds: [] }, ask('two')];
    assert.equal(stepThroughHistory(messages, '', -1), 'two');
    assert.equal(stepThroughHistory(messages, 'two', -1), 'one');
    assert.equal(stepThroughHistory(messages, 'one', -1), undefined);
    assert.equal(stepThroughHistory(messages, 'one', 1), 'two');
    assert.equal(stepThroughHistory(messages, 'two', 1), '');
    assert.equal(stepThroughHistory(messages, 'typed', -1), undefined);
  });
});
