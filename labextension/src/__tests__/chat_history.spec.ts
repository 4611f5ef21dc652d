/** The chat model over reloads, lost connections, two tabs, and what is done to chats. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { apiError } from './fake_chats.js';
import { FakeChatServer } from './fake_chat_server.js';
import { liveText, newStore, openPage, shownTexts } from './chat_page.js';
import { settled } from './fake_ports.js';

describe('a reload', () => {
  it('shows the chat again and picks up the answer that is being written', async () => {
    const page = openPage();
    const { server } = page;
    await page.asked('Hi?');
    server.write('Hel');
    page.model.draft = 'half a thou';
    page.leave();
    server.write('lo');
    const { model } = openPage(server, page.stores);
    await model.restore();
    await settled();
    assert.equal(model.draft, 'half a thou');
    const live = model.live(model.state.writingId ?? '');
    assert.ok(live);
    assert.equal(live.text, 'Hello');
    server.write('!');
    assert.equal(live.text, 'Hello!');
    server.end();
    assert.deepEqual(shownTexts(model), ['Hi?', 'Hello!']);
  });

  it('shows the end of an answer that nobody saw', async () => {
    const page = openPage();
    await page.asked('Hi?');
    page.leave();
    page.server.write('Hello');
    page.server.end();
    const { model } = openPage(page.server, page.stores);
    await model.restore();
    assert.deepEqual(shownTexts(model), ['Hi?', 'Hello']);
    assert.equal(model.state.writingId, null);
  });

  it('shows an empty chat where the last one is gone, without a word', async () => {
    const page = openPage();
    await page.asked('Hi?');
    page.server.chats.clear();
    const { model } = openPage(page.server, page.stores);
    await model.restore();
    assert.deepEqual(model.state.notices, []);
    assert.equal(model.state.chat.isKept, false);
  });

  it('reads the chat when the connection opens, where the server was away before', async () => {
    const page = openPage();
    await page.asked('Hi?');
    page.server.end();
    const { model, connection } = openPage(page.server, page.stores);
    connection.lose();
    const error = apiError('server_away', 0);
    page.server.failures.push({ route: 'get', error }, { route: 'list', error });
    await model.restore();
    assert.equal(model.state.chat.isLoading, true);
    connection.open();
    await settled();
    assert.deepEqual(shownTexts(model), ['Hi?', '']);
    assert.equal(model.state.chats.length, 1);
  });

  it('keeps the draft in its tab and the chat for new tabs', () => {
    const browser = newStore();
    const first = openPage(new FakeChatServer(), { tab: newStore(), browser });
    first.model.draft = 'mine';
    first.model.chooseModel('beta');
    first.leave();
    const { model } = openPage(first.server, { tab: newStore(), browser });
    assert.deepEqual([model.draft, model.state.modelId], ['', 'beta']);
  });

  it('does without a storage that is broken', () => {
    const store = newStore();
    store.items.set('jupyter-localllm:chat:http://localhost/', '{"chatId": 5, "draft"');
    store.setItem = () => {
      throw new Error('full');
    };
    const { model, leave } = openPage(new FakeChatServer(), { tab: store, browser: store });
    model.draft = 'x';
    leave();
    assert.equal(model.draft, 'x');
  });
});

describe('a lost connection', () => {
  it('sends again what never arrived', async () => {
    const { server, model, connection, asked } = openPage();
    await asked('One?');
    server.end();
    connection.isBlackHole = true;
    await asked('Two?');
    connection.lose();
    assert.equal(server.asked.length, 1);
    connection.open();
    await settled();
    assert.equal(server.asked.length, 2);
    server.write('2');
    server.end();
    assert.deepEqual(shownTexts(model), ['One?', '', 'Two?', '2']);
  });

  it('does not ask twice what had arrived', async () => {
    const { server, model, connection, asked } = openPage();
    await asked('One?');
    server.end();
    connection.isDeaf = true;
    await asked('Two?');
    connection.lose();
    server.write('2');
    connection.open();
    await settled();
    assert.equal(server.asked.length, 2);
    assert.equal(liveText(model), '2');
    server.end();
    assert.deepEqual(shownTexts(model), ['One?', '', 'Two?', '2']);
  });

  it('shows an answer that ended meanwhile', async () => {
    const { server, model, connection, asked } = openPage();
    await asked('One?');
    server.write('a');
    connection.lose();
    server.write('b');
    server.end();
    server.streams.clear();
    connection.open();
    await settled();
    assert.deepEqual(shownTexts(model), ['One?', 'ab']);
    assert.equal(model.state.writingId, null);
  });

  it('stops what was to be stopped, whether it had arrived or not', async () => {
    for (const hadArrived of [true, false]) {
      const { server, model, connection, asked } = openPage();
      await asked('One?');
      server.end();
      connection.isBlackHole = !hadArrived;
      connection.isDeaf = hadArrived;
      await asked('Two?');
      connection.lose();
      model.stop();
      connection.open();
      await settled();
      assert.equal(model.state.writingId, null);
      assert.equal(server.asked.length, hadArrived ? 2 : 1);
      assert.equal(model.draft, hadArrived ? '' : 'Two?');
    }
  });

  it('lets the first question of a chat wait for the server', async () => {
    const { server, model, connection, asked } = openPage();
    connection.lose();
    server.failures.push({ route: 'create', error: apiError('server_away', 0) });
    await asked('One?');
    assert.notEqual(model.state.writingId, null);
    connection.open();
    await settled();
    assert.equal(server.asked.length, 1);
    assert.equal(model.state.chat.isKept, true);
  });

  it('does not go back to what the chat was when it was read', async () => {
    const { server, model, connection, said, asked } = openPage();
    await asked('One?');
    const { chatId } = model.state.chat;
    const before = server.chat(chatId);
    server.write('1');
    server.end();
    connection.lose();
    server.staleChat = before;
    connection.open();
    await settled();
    assert.deepEqual(shownTexts(model), ['One?', '1']);
    assert.equal(model.state.writingId, null);
    connection.lose();
    assert.deepEqual(said, ['Answer started', 'Answer finished']);
    server.staleChat = { ...before, messages: [], currentId: null };
    connection.open();
    await settled();
    assert.deepEqual(shownTexts(model), ['One?', '1']);
  });

  it('says when the chat was deleted meanwhile', async () => {
    const { server, model, connection, asked } = openPage();
    await asked('One?');
    server.end();
    connection.lose();
    server.chats.clear();
    connection.open();
    await settled();
    assert.match(model.state.notices[0]?.message ?? '', /deleted/);
    assert.deepEqual(shownTexts(model), []);
  });

  it('reads the chat again where an answer can no longer be followed', async () => {
    const { server, model, connection, asked } = openPage();
    await asked('One?');
    const { requestId } = server.lastAsk;
    server.write('abc');
    connection.isBlackHole = true;
    server.end();
    connection.isBlackHole = false;
    const error = { code: 'stream_not_found', message: 'Gone.', hint: '' };
    connection.deliver({ type: 'error', error, requestId, seq: null });
    await settled();
    assert.deepEqual(shownTexts(model), ['One?', 'abc']);
    assert.deepEqual(model.state.notices, []);
  });
});

describe('two tabs', () => {
  it('show the same chat live', async () => {
    const first = openPage();
    await first.asked('One?');
    const second = openPage(first.server);
    await second.model.openChat(first.model.state.chat.chatId);
    first.server.write('1');
    assert.equal(liveText(second.model), '1');
    first.server.end();
    await second.asked('Two?');
    assert.deepEqual(shownTexts(first.model), ['One?', '1', 'Two?', '']);
    first.model.stop();
    assert.equal(second.model.state.messages.at(-1)?.record.state, 'stopped');
    await first.model.renameChat(first.model.state.chat.chatId, 'Numbers');
    assert.equal(second.model.state.chat.title, 'Numbers');
    await first.model.deleteChat(first.model.state.chat.chatId);
    assert.equal(second.model.state.chat.isKept, false);
    assert.match(second.model.state.notices[0]?.message ?? '', /deleted/);
    assert.equal(first.model.state.notices.length, 1);
  });
});

describe('a chat that somebody else writes into', () => {
  it('is read again where it is shown', async () => {
    const page = openPage();
    await page.asked('One?');
    page.server.end();
    const { chatId } = page.model.state.chat;
    const other = openPage(page.server);
    await other.model.openChat(chatId);
    // Only the summary is told, as of what a magic has kept.
    other.connection.isDeaf = true;
    await page.asked('Two?');
    page.server.end();
    other.connection.isDeaf = false;
    assert.equal(other.model.state.messages.length, 2);
    const { title, createdMs, updatedMs } = page.server.chat(chatId);
    const summary = { chatId, title, createdMs, updatedMs, nMessages: 4, model: '', snippet: '' };
    page.server.tell({ type: 'chat', chatId, change: 'changed', summary });
    await settled();
    assert.equal(other.model.state.messages.length, 4);
  });
});

describe('another chat', () => {
  it('is shown while an answer of the one before goes on', async () => {
    const { server, model, said, asked } = openPage();
    await asked('One?');
    const { chatId } = model.state.chat;
    model.newChat();
    assert.equal(model.state.writingId, null);
    assert.deepEqual(shownTexts(model), []);
    server.write('1');
    await model.openChat(chatId);
    assert.equal(liveText(model), '1');
    model.newChat();
    server.end();
    assert.deepEqual(said, ['Answer started'], 'the end of another chat is not said');
    await model.openChat(chatId);
    assert.deepEqual(shownTexts(model), ['One?', '1']);
  });

  it('that cannot be opened leaves the one that is shown', async () => {
    const { server, model, asked } = openPage();
    await asked('One?');
    server.end();
    await model.openChat('nowhere');
    assert.deepEqual(shownTexts(model), ['One?', '']);
    assert.equal(model.state.notices[0]?.message, 'chat_not_found.');
  });

  it('that cannot be opened does not matter where a third one was chosen since', async () => {
    const { server, model, asked } = openPage();
    await asked('One?');
    server.end();
    const { chatId } = model.state.chat;
    model.newChat();
    await Promise.all([model.openChat('nowhere'), model.openChat(chatId)]);
    assert.deepEqual(shownTexts(model), ['One?', '']);
    assert.deepEqual(model.state.notices, []);
  });

  it('the last one chosen wins', async () => {
    const { server, model, asked } = openPage();
    await asked('One?');
    const first = model.state.chat.chatId;
    server.end();
    model.newChat();
    await asked('Two?');
    server.end();
    const second = model.state.chat.chatId;
    model.newChat();
    await Promise.all([model.openChat(first), model.openChat(second)]);
    assert.deepEqual(shownTexts(model), ['Two?', '']);
  });
});

describe('kept chats', () => {
  it('are deleted with an undo that brings them back', async () => {
    const { server, model, asked } = openPage();
    await asked('One?');
    server.end();
    const { chatId } = model.state.chat;
    await model.renameChat(chatId, 'First');
    await model.deleteChat(chatId);
    assert.deepEqual([model.state.chats.length, model.state.chat.isKept], [0, false]);
    const [notice] = model.state.notices;
    assert.match(notice?.message ?? '', /First/);
    assert.equal(notice?.action?.label, 'Undo');
    notice.action.run();
    await settled();
    assert.deepEqual(shownTexts(model), ['One?', '']);
    assert.equal(model.state.chats.length, 1);
    assert.deepEqual(model.state.notices, []);
  });

  it('say when they cannot be deleted', async () => {
    const { server, model, asked } = openPage();
    await asked('One?');
    server.end();
    server.failures.push({ route: 'remove', error: apiError('disk_full', 507) });
    await model.deleteChat(model.state.chat.chatId);
    assert.equal(model.state.chats.length, 1);
    assert.equal(model.state.notices[0]?.severity, 'error');
  });

  it('are searched, exported and imported', async () => {
    const { server, model, asked } = openPage();
    await asked('rivers?');
    server.end();
    const { chatId } = model.state.chat;
    assert.equal((await model.searchChats('rivers')).length, 1);
    assert.equal((await model.searchChats('lakes')).length, 0);
    const text = await model.exportChat(chatId, 'chat');
    await model.importChat(text);
    assert.notEqual(model.state.chat.chatId, chatId);
    assert.deepEqual(shownTexts(model), ['rivers?', '']);
    server.failures.push({ route: 'export', error: apiError('chat_not_found', 404) });
    await assert.rejects(model.exportChat(chatId, 'md'), /chat_not_found/);
  });

  it('begin with the instructions of the settings, and can have their own', async () => {
    const { server, model, settings, asked } = openPage();
    settings.current = { ...settings.current, systemPrompt: 'Be brief.' };
    settings.changed.emit();
    assert.equal(model.state.chat.systemPrompt, 'Be brief.');
    await asked('One?');
    const { chatId } = model.state.chat;
    assert.equal(server.chat(chatId).systemPrompt, 'Be brief.');
    await model.setSystemPrompt('Be long.');
    assert.equal(server.chat(chatId).systemPrompt, 'Be long.');
    assert.equal(model.state.chat.systemPrompt, 'Be long.');
  });
});
