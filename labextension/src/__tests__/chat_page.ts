/** One page with a chat model, and words for what tests do with it. */

import { Signal } from '@lumino/signaling';

import { ChatModel } from '../chat/model.js';
import { PageMemory } from '../chat/model_memory.js';
import type { Store } from '../chat/model_memory';
import type { ChatSettings, IChatSettings } from '../chat/workbench';
import { FakeChats, FakeModelStatus } from './fake_chats.js';
import { FakeChatServer, FakeConnection } from './fake_chat_server.js';
import { settled } from './fake_ports.js';

/** Puts arguments where JupyterLab's bundles put them. */
export const trans = {
  __: (text: string, ...args: unknown[]) =>
    text.replace(/%(\d+)/g, (_, index: string) => String(args[Number(index) - 1]))
};

export class FakeSettings implements IChatSettings {
  readonly changed = new Signal<this, void>(this);
  current: ChatSettings = {
    sendWithShiftEnter: false,
    systemPrompt: 'Be kind.',
    maxTokens: 64,
    temperature: null,
    repairDiagrams: true
  };
}

/** A browser's storage. */
export function newStore(): Store & { readonly items: Map<string, string> } {
  const items = new Map<string, string>();
  return {
    items,
    getItem: key => items.get(key) ?? null,
    setItem: (key, value) => {
      items.set(key, value);
    },
    removeItem: key => {
      items.delete(key);
    }
  };
}

export interface Stores {
  readonly tab: Store;
  readonly browser: Store;
}

/** Open a page on a server; the same stores make it the same tab after a reload. */
export function openPage(
  server = new FakeChatServer(),
  stores: Stores = { tab: newStore(), browser: newStore() }
) {
  const connection = new FakeConnection(server);
  const modelStatus = new FakeModelStatus();
  const settings = new FakeSettings();
  const model = new ChatModel({
    connection,
    chats: new FakeChats(server),
    modelStatus,
    settings,
    memory: new PageMemory(stores.tab, stores.browser, 'http://localhost/'),
    trans
  });
  const said: string[] = [];
  let { announcement } = model.state;
  model.changed.connect(() => {
    if (model.state.announcement !== announcement) {
      announcement = model.state.announcement;
      said.push(announcement.text);
    }
  });
  return {
    server,
    connection,
    modelStatus,
    settings,
    model,
    said,
    stores,
    /** Ask and wait until the server has it. */
    asked: async (content: string, action = '') => {
      await model.ask({ content, action });
      await settled();
    },
    /** The page is left: nothing reaches it any more. */
    leave: () => {
      model.dispose();
      connection.dispose();
    }
  };
}

/** What the shown branch says. */
export function shownTexts(model: ChatModel): string[] {
  return model.state.messages.map(({ record }) => record.content);
}

/** What has been written so far of the answer that is being written. */
export function liveText(model: ChatModel): string | undefined {
  const { writingId } = model.state;
  return writingId === null ? undefined : model.live(writingId)?.text;
}
