/** The chat model against a server of chats in memory: questions, branches, chats, chips. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { apiError, ITEM } from './fake_chats.js';
import { FakeChatServer } from './fake_chat_server.js';
import { openPage, shownTexts } from './chat_page.js';
import { settled } from './fake_ports.js';

describe('asking', () => {
  it('keeps the chat with its first question and shows the answer as it comes', async () => {
    const { server, model, asked } = openPage();
    assert.equal(model.state.chat.isKept, false);
    await asked('Hi?');
    assert.deepEqual(server.calls.filter(call => call.startsWith('create')), [
      `create ${model.state.chat.chatId}`
    ]);
    assert.equal(model.state.chat.isKept, true);
    assert.equal(server.lastAsk.maxTokens, 64);
    const { writingId } = model.state;
    assert.equal(writingId, server.lastAsk.requestId);
    const live = model.live(writingId);
    assert.ok(live);
    server.progress(50);
    assert.equal(live.progress?.promptTokensDone, 50);
    let nStates = 0;
    let nPieces = 0;
    model.changed.connect(() => nStates++);
    live.changed.connect(() => nPieces++);
    server.write('Hello');
    server.write(' you.');
    assert.equal(live.text, 'Hello you.');
    assert.deepEqual([nStates, nPieces], [0, 2], 'a token makes no new state');
    server.end();
    assert.equal(model.state.writingId, null);
    assert.equal(model.live(writingId), null);
    assert.deepEqual(shownTexts(model), ['Hi?', 'Hello you.']);
    assert.deepEqual(model.state.contextUse, { usedTokens: 40, windowTokens: 2048 });
  });

  it('shows question and answer before the server has them', () => {
    const { model } = openPage();
    void model.ask({ content: 'Hi?', action: '' });
    assert.deepEqual(shownTexts(model), ['Hi?', '']);
    assert.notEqual(model.state.writingId, null);
  });

  it('says start and end once each, and nothing for tokens', async () => {
    const { server, said, asked } = openPage();
    await asked('Hi?');
    server.write('a');
    server.write('b');
    server.end();
    assert.deepEqual(said, ['Answer started', 'Answer finished']);
  });

  it('does not begin again where the word of the beginning comes after the end', async () => {
    const { server, model, said, asked } = openPage();
    await asked('Hi?');
    const { chatId } = model.state.chat;
    const message = server.chat(chatId).messages.at(-1);
    assert.ok(message);
    server.write('Hello');
    server.end();
    server.tell({ type: 'message', chatId, message, currentId: null });
    assert.deepEqual(shownTexts(model), ['Hi?', 'Hello']);
    assert.deepEqual(said, ['Answer started', 'Answer finished']);
  });

  it('asks one thing at a time', async () => {
    const { server, model, asked } = openPage();
    await asked('One?');
    assert.equal(await model.ask({ content: 'Two?', action: '' }), false);
    await model.regenerate(server.lastAsk.requestId);
    assert.equal(server.asked.length, 1);
  });

  it('puts the question back where its chat cannot be made', async () => {
    const { server, model } = openPage();
    server.failures.push({ route: 'create', error: apiError('history_full', 507) });
    model.addChip(ITEM);
    assert.equal(await model.ask({ content: 'Hi?', action: '' }), true);
    await settled();
    assert.deepEqual(shownTexts(model), []);
    assert.equal(model.draft, 'Hi?');
    assert.equal(model.state.chips.length, 1);
    assert.deepEqual(model.state.notices.map(({ message, hint }) => [message, hint]), [
      ['history_full.', 'Do something.']
    ]);
  });

  it('puts the question back where another page is being answered', async () => {
    const server = new FakeChatServer();
    const first = openPage(server);
    await first.asked('One?');
    const second = openPage(server);
    await second.model.openChat(first.model.state.chat.chatId);
    server.end();
    // The second page has not heard yet that the first asks again.
    second.connection.isBlackHole = true;
    await first.asked('Two?');
    second.connection.isBlackHole = false;
    await second.asked('Three?');
    assert.equal(second.model.draft, 'Three?');
    assert.deepEqual(second.model.state.notices.map(({ message }) => message), ['chat_busy.']);
    assert.equal(first.model.state.writingId !== null, true);
  });

  it('does not ask a server that it cannot speak with', async () => {
    const { model, connection } = openPage();
    connection.setState({ kind: 'refused', message: 'Too old.', hint: 'Restart.' });
    assert.equal(await model.ask({ content: 'Hi?', action: '' }), false);
    assert.equal(model.state.notices[0]?.message, 'Too old.');
  });
});

describe('stopping', () => {
  it('works before the first token', async () => {
    const { server, model, said, asked } = openPage();
    await asked('Hi?');
    model.stop();
    assert.equal(model.state.writingId, null);
    assert.equal(model.state.messages.at(-1)?.record.state, 'stopped');
    assert.deepEqual(said, ['Answer started', 'Stopped']);
    assert.equal(server.chat(model.state.chat.chatId).messages.at(-1)?.state, 'stopped');
    model.stop();
  });

  it('keeps what was written', async () => {
    const { server, model, asked } = openPage();
    await asked('Hi?');
    server.write('Half an ans');
    model.stop();
    assert.deepEqual(shownTexts(model), ['Hi?', 'Half an ans']);
  });

  it('takes back a question that has not left', async () => {
    const { server, model, connection, asked } = openPage();
    await asked('Hi?');
    server.end();
    connection.lose();
    await asked('And?');
    model.stop();
    assert.equal(model.draft, 'And?');
    assert.deepEqual(shownTexts(model), ['Hi?', '']);
    connection.open();
    await settled();
    assert.equal(server.asked.length, 1);
  });

  it('does not mind that the answer has just ended', async () => {
    const { server, model, connection, asked } = openPage();
    await asked('Hi?');
    const { requestId } = server.lastAsk;
    server.end();
    server.streams.delete(requestId);
    connection.cancel(requestId);
    assert.deepEqual(model.state.notices, []);
  });
});

describe('a crash', () => {
  it('leaves the text with the reason; Retry is another answer', async () => {
    const { server, model, said, asked } = openPage();
    await asked('Hi?');
    server.write('Half');
    server.crash();
    const { record } = model.state.messages.at(-1) ?? {};
    assert.deepEqual(
      [record?.state, record?.content, record?.error?.code],
      ['failed', 'Half', 'worker_crashed']
    );
    assert.equal(said.at(-1), 'It crashed.');
    await model.regenerate(record?.messageId ?? '');
    await settled();
    assert.equal(server.lastAsk.message, null);
    server.write('Whole');
    server.end();
    const last = model.state.messages.at(-1);
    assert.ok(last);
    assert.equal(last.record.content, 'Whole');
    assert.deepEqual([last.siblingIndex, last.siblingIds.length], [1, 2]);
  });
});

describe('branches', () => {
  it('edits a question with its context, and goes back and forth', async () => {
    const { server, model, asked } = openPage();
    model.addChip(ITEM);
    await asked('One?', 'fix');
    server.write('1');
    server.end();
    await asked('Two?');
    server.write('2');
    server.end();
    const [first] = model.state.messages;
    assert.ok(first);
    await model.edit(first.record.messageId, 'Other?');
    await settled();
    const { message, parentId } = server.lastAsk;
    assert.deepEqual([message?.action, message?.context.length, parentId], ['fix', 1, null]);
    server.write('x');
    server.end();
    assert.deepEqual(shownTexts(model), ['Other?', 'x']);
    const [other] = model.state.messages;
    assert.deepEqual([other?.siblingIndex, other?.siblingIds.length], [1, 2]);
    model.showBranch(first.record.messageId);
    assert.deepEqual(shownTexts(model), ['One?', '1', 'Two?', '2']);
    await settled();
    const { currentId } = server.chat(model.state.chat.chatId);
    assert.equal(currentId, model.state.messages.at(-1)?.record.messageId);
  });

  it('keeps the identity of messages that have not changed', async () => {
    const { server, model, asked } = openPage();
    await asked('One?');
    server.end();
    const before = model.state.messages;
    await asked('Two?');
    assert.equal(model.state.messages[0], before[0]);
    assert.ok(Object.isFrozen(model.state) && Object.isFrozen(model.state.messages));
  });
});

describe('chips', () => {
  it('are counted together, sent once, and counted again for another model', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { server, model } = openPage();
    model.addChip(ITEM);
    model.addChip({ ...ITEM, label: '@cell 2', text: '12345' });
    model.addChip({ ...ITEM, text: 'newer' });
    assert.deepEqual(model.state.chips.map(({ tokens }) => tokens), [null, null]);
    t.mock.timers.tick(1000);
    await settled();
    assert.deepEqual(server.calls, ['count  2']);
    assert.deepEqual(model.state.chips.map(({ tokens }) => tokens), [5, 5]);
    model.chooseModel('beta');
    assert.deepEqual(model.state.chips.map(({ tokens }) => tokens), [null, null]);
    t.mock.timers.tick(1000);
    await settled();
    assert.equal(server.calls.at(-1), 'count beta 2');
    void model.ask({ content: 'Hi?', action: '' });
    await settled();
    assert.deepEqual(model.state.chips, []);
    const [item] = server.lastAsk.message?.context ?? [];
    assert.deepEqual([item?.text, item?.tokens], ['newer', 5]);
    assert.equal(server.lastAsk.model, 'beta');
  });

  it('are counted again where one came while they were', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { model } = openPage();
    model.addChip(ITEM);
    t.mock.timers.tick(1000);
    model.addChip({ ...ITEM, text: 'longer than before' });
    await settled();
    assert.deepEqual(model.state.chips.map(({ tokens }) => tokens), [null]);
    t.mock.timers.tick(1000);
    await settled();
    assert.deepEqual(model.state.chips.map(({ tokens }) => tokens), [18]);
  });

  it('say so where they cannot be counted', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { server, model } = openPage();
    server.failures.push({ route: 'count', error: apiError('model_not_found', 404) });
    model.addChip(ITEM);
    t.mock.timers.tick(1000);
    await settled();
    assert.equal(model.state.chips[0]?.tokens, 'unknown');
    model.removeChip(model.state.chips[0].chipId);
    assert.deepEqual(model.state.chips, []);
  });

  it('are at most as many as the server takes', () => {
    const { model } = openPage();
    for (let i = 0; i < 40; i++) {
      model.addChip({ ...ITEM, label: `@cell ${i}` });
    }
    assert.equal(model.state.chips.length, 32);
    assert.match(model.state.notices[0]?.message ?? '', /At most 32/);
    model.dispose();
  });
});

describe('notices of the server', () => {
  it('stay until it is well again', () => {
    const { server, model } = openPage();
    const notice = { type: 'notice', message: 'Disk full.', hint: 'Make room.' } as const;
    server.tell({ ...notice, code: 'history_not_saved' });
    server.tell({ ...notice, code: 'history_not_saved' });
    assert.equal(model.state.notices.length, 1);
    server.tell({ ...notice, code: 'history_saved' });
    assert.deepEqual(model.state.notices, []);
  });

  it('leave the answer that could not be saved on the page', async () => {
    const { server, model, asked } = openPage();
    await asked('One?');
    server.write('kept here');
    server.end('stop', server.lastAsk.requestId, false);
    assert.deepEqual(shownTexts(model), ['One?', 'kept here']);
    assert.equal(model.state.messages.at(-1)?.record.usage?.completionTokens, 10);
  });
});

describe('models', () => {
  it('are watched closely while one answers or loads', async () => {
    const { server, model, modelStatus, asked } = openPage();
    await asked('One?');
    assert.equal(modelStatus.nWatchers, 1);
    server.end();
    assert.equal(modelStatus.nWatchers, 0);
    server.failures.push({ route: 'load', error: apiError('not_enough_memory', 507) });
    await model.loadModel('beta');
    assert.equal(modelStatus.nWatchers, 0);
    assert.equal(model.state.notices[0]?.message, 'not_enough_memory.');
    await model.unloadModel('beta');
    assert.equal(server.calls.at(-1), 'unload beta');
  });

  it('are the same list where nothing has changed', async () => {
    const { model, modelStatus } = openPage();
    const { models } = model.state;
    modelStatus.status = structuredClone(modelStatus.status);
    await modelStatus.refresh();
    assert.equal(model.state.models, models);
  });

  it('are chosen for a chat and remembered with it', async () => {
    const { server, model, asked } = openPage();
    await asked('One?');
    server.end();
    const { chatId } = model.state.chat;
    model.chooseModel('beta');
    await settled();
    assert.equal(server.chat(chatId).model, 'beta');
    model.addChip(ITEM);
    model.newChat();
    model.chooseModel('');
    await model.openChat(chatId);
    assert.equal(model.state.modelId, 'beta');
    model.dispose();
  });
});
