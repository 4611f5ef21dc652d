/** The routes of {@link FakeChatServer} and what else the chat model asks, for its tests. */

import { Signal } from '@lumino/signaling';

import type { Chat, ChatSummary, ContextItem } from '../chat_protocol';
import type { ModelInfo, StatusReply } from '../protocol';
import { ApiError } from '../service/api.js';
import type { ChatChange, ChatList, IChats, NewChat } from '../service/chats';
import type { IModelStatus } from '../service/model_status';
import type { FakeChatServer } from './fake_chat_server';

/** What fails, as a test wants it. */
export function apiError(code: string, status: number): ApiError {
  return new ApiError({ code, message: `${code}.`, hint: 'Do something.' }, status);
}

/** The REST routes; every call settles later, as a real one does. */
export class FakeChats implements IChats {
  constructor(private readonly _server: FakeChatServer) {}

  list(query = ''): Promise<ChatList> {
    return this._do(`list ${query}`.trim(), () => ({
      chats: [...this._server.chats.values()]
        .filter(({ title, messages }) =>
          [title, ...messages.map(({ content }) => content)].some(text => text.includes(query))
        )
        .map(summaryOf)
        .sort((a, b) => b.updatedMs - a.updatedMs),
      notices: []
    }));
  }

  create({ chatId, title, model, systemPrompt }: NewChat): Promise<ChatSummary> {
    return this._do(`create ${chatId}`, () => {
      const now = this._server.now();
      const times = { createdMs: now, updatedMs: now };
      const empty = { chatId, title, model, systemPrompt, currentId: null, messages: [], ...times };
      const chat = this._server.chats.get(chatId) ?? empty;
      this._server.chats.set(chatId, chat);
      this._server.tell({ type: 'chat', chatId, change: 'created', summary: summaryOf(chat) });
      return summaryOf(chat);
    });
  }

  get(chatId: string): Promise<Chat> {
    return this._do(`get ${chatId}`, () => {
      const stale = this._server.staleChat;
      this._server.staleChat = null;
      return stale ?? this._server.chat(chatId);
    });
  }

  change(chatId: string, change: ChatChange): Promise<ChatSummary> {
    return this._do(`change ${JSON.stringify(change)}`, () => {
      const chat = this._server.change(chatId, change);
      this._server.tell({ type: 'chat', chatId, change: 'changed', summary: summaryOf(chat) });
      return summaryOf(chat);
    });
  }

  remove(chatId: string): Promise<ChatSummary> {
    return this._do(`remove ${chatId}`, () => {
      const chat = this._server.chat(chatId);
      this._server.chats.delete(chatId);
      this._server.deleted.set(chatId, chat);
      this._server.tell({ type: 'chat', chatId, change: 'deleted', summary: null });
      return summaryOf(chat);
    });
  }

  restore(chatId: string): Promise<ChatSummary> {
    return this._do(`restore ${chatId}`, () => {
      const chat = this._server.deleted.get(chatId);
      if (chat === undefined) {
        throw apiError('chat_not_found', 404);
      }
      this._server.chats.set(chatId, chat);
      this._server.tell({ type: 'chat', chatId, change: 'restored', summary: summaryOf(chat) });
      return summaryOf(chat);
    });
  }

  export(chatId: string, format: string): Promise<string> {
    return this._do(`export ${format}`, () => JSON.stringify(this._server.chat(chatId)));
  }

  import(text: string): Promise<ChatSummary> {
    return this._do('import', () => {
      const chat = { ...(JSON.parse(text) as Chat), chatId: `import-${this._server.now()}` };
      this._server.chats.set(chat.chatId, chat);
      return summaryOf(chat);
    });
  }

  prompts(): Promise<readonly never[]> {
    return this._do('prompts', () => []);
  }

  readFile(path: string): Promise<ContextItem> {
    return this._do(`file ${path}`, () => ({ ...ITEM, source: path }));
  }

  countTokens(model: string, texts: readonly string[]): Promise<readonly number[]> {
    return this._do(`count ${model} ${texts.length}`, () => texts.map(text => text.length));
  }

  loadModel(model: string): Promise<void> {
    return this._do(`load ${model}`, () => undefined);
  }

  unloadModel(model: string): Promise<void> {
    return this._do(`unload ${model}`, () => undefined);
  }

  private async _do<T>(route: string, answer: () => T): Promise<T> {
    this._server.calls.push(route);
    await Promise.resolve();
    const { failures } = this._server;
    const at = failures.findIndex(failure => route.startsWith(failure.route));
    if (at >= 0) {
      throw failures.splice(at, 1)[0]?.error ?? new Error('no failure');
    }
    return answer();
  }
}

export function summaryOf({ chatId, title, createdMs, updatedMs, model, messages }: Chat): ChatSummary {
  return { chatId, title, createdMs, updatedMs, nMessages: messages.length, model, snippet: '' };
}

export const ITEM: ContextItem = {
  kind: 'cell',
  label: '@cell 1',
  text: 'print(1)',
  source: 'a.ipynb',
  language: 'python',
  isTruncated: false,
  tokens: null
};

const MODEL: ModelInfo = {
  id: 'alpha',
  state: 'ready',
  isDefault: true,
  canChat: true,
  sizeBytes: 1,
  contextWindow: 2048,
  loadProgress: null,
  warnings: [],
  error: null
};

export class FakeModelStatus implements IModelStatus {
  status: StatusReply | null = {
    protocolVersion: 1,
    serverVersion: '0.1.0',
    models: [MODEL, { ...MODEL, id: 'beta', isDefault: false, contextWindow: null }],
    running: 0,
    waiting: 0
  };
  error = null;
  readonly changed = new Signal<this, void>(this);
  nWatchers = 0;

  refresh(): Promise<void> {
    this.changed.emit();
    return Promise.resolve();
  }

  watchClosely(): { isDisposed: boolean; dispose(): void } {
    this.nWatchers += 1;
    const watch = {
      isDisposed: false,
      dispose: () => {
        this.nWatchers -= watch.isDisposed ? 0 : 1;
        watch.isDisposed = true;
      }
    };
    return watch;
  }
}
