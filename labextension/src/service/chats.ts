/**
 * The routes below `localllm/chats`, `context`, `prompts` and `models`, one method each.
 *
 * Nothing is kept here. Called by the chat model, the notebook's context sources and commands.
 */

import {
  readChat,
  readChatSummary,
  readContextItem,
  readPrompt,
  readServerNotice
} from '../chat_guards.js';
import type { PromptInfo, ServerNotice } from '../chat_guards';
import type { Chat, ChatSummary, ContextItem } from '../chat_protocol';
import { readCount, readEach, readRecord } from '../guards.js';
import type { Api } from './api';

export interface NewChat {
  readonly chatId: string;
  readonly title: string;
  readonly model: string;
  readonly systemPrompt: string;
}

/** What is given is changed. */
export interface ChatChange {
  readonly title?: string;
  readonly model?: string;
  readonly systemPrompt?: string;
  readonly currentId?: string;
}

export interface ChatList {
  readonly chats: readonly ChatSummary[];
  readonly notices: readonly ServerNotice[];
}

export type ExportFormat = 'md' | 'ipynb' | 'chat';

/** Kept chats and what belongs to them. Every method throws `ApiError`. */
export interface IChats {
  list(query?: string): Promise<ChatList>;
  create(chat: NewChat): Promise<ChatSummary>;
  get(chatId: string): Promise<Chat>;
  change(chatId: string, change: ChatChange): Promise<ChatSummary>;
  remove(chatId: string): Promise<ChatSummary>;
  restore(chatId: string): Promise<ChatSummary>;
  export(chatId: string, format: ExportFormat): Promise<string>;
  import(text: string): Promise<ChatSummary>;
  prompts(): Promise<readonly PromptInfo[]>;
  /** A text file below the server's root, as an attachment without a label. */
  readFile(path: string): Promise<ContextItem>;
  /** Tokens of each text, in order; loads the model. */
  countTokens(model: string, texts: readonly string[]): Promise<readonly number[]>;
  loadModel(model: string): Promise<void>;
  unloadModel(model: string): Promise<void>;
}

/** A big model on a slow disk. */
const LOAD_TIMEOUT_MS = 330_000;
const SLOW_TIMEOUT_MS = 60_000;

const readSummary = (body: unknown): ChatSummary => readChatSummary(body, 'chat');

/** {@link IChats} over HTTP. */
export class Chats implements IChats {
  constructor(private readonly _api: Api) {}

  list(query = ''): Promise<ChatList> {
    const options = query === '' ? {} : { query: { query } };
    return this._api.json(
      'GET',
      ['chats'],
      body => {
        const record = readRecord(body, 'reply');
        return {
          chats: readEach(record.chats, 'reply.chats', readChatSummary),
          notices: readEach(record.notices, 'reply.notices', readServerNotice)
        };
      },
      options
    );
  }

  create(chat: NewChat): Promise<ChatSummary> {
    const body = {
      chat_id: chat.chatId,
      ...(chat.title === '' ? {} : { title: chat.title }),
      ...(chat.model === '' ? {} : { model: chat.model }),
      ...(chat.systemPrompt === '' ? {} : { system_prompt: chat.systemPrompt })
    };
    return this._api.json('POST', ['chats'], readSummary, { body });
  }

  get(chatId: string): Promise<Chat> {
    return this._api.json('GET', ['chats', chatId], readChat, { timeoutMs: SLOW_TIMEOUT_MS });
  }

  change(chatId: string, change: ChatChange): Promise<ChatSummary> {
    const body = {
      ...(change.title === undefined ? {} : { title: change.title }),
      ...(change.model === undefined ? {} : { model: change.model }),
      ...(change.systemPrompt === undefined ? {} : { system_prompt: change.systemPrompt }),
      ...(change.currentId === undefined ? {} : { current_id: change.currentId })
    };
    return this._api.json('POST', ['chats', chatId], readSummary, { body });
  }

  remove(chatId: string): Promise<ChatSummary> {
    return this._api.json('POST', ['chats', chatId, 'delete'], readSummary);
  }

  restore(chatId: string): Promise<ChatSummary> {
    return this._api.json('POST', ['chats', chatId, 'restore'], readSummary);
  }

  export(chatId: string, format: ExportFormat): Promise<string> {
    const options = { query: { format }, timeoutMs: SLOW_TIMEOUT_MS };
    return this._api.text('GET', ['chats', chatId, 'export'], options);
  }

  import(text: string): Promise<ChatSummary> {
    const options = { text, timeoutMs: SLOW_TIMEOUT_MS };
    return this._api.json('POST', ['chats', 'import'], readSummary, options);
  }

  prompts(): Promise<readonly PromptInfo[]> {
    return this._api.json('GET', ['prompts'], body =>
      readEach(readRecord(body, 'reply').prompts, 'reply.prompts', readPrompt)
    );
  }

  readFile(path: string): Promise<ContextItem> {
    const read = (body: unknown): ContextItem => readContextItem(body, 'file');
    return this._api.json('POST', ['context', 'file'], read, { body: { path } });
  }

  countTokens(model: string, texts: readonly string[]): Promise<readonly number[]> {
    const options = { body: { model, texts }, timeoutMs: LOAD_TIMEOUT_MS };
    return this._api.json(
      'POST',
      ['context', 'count'],
      body => readEach(readRecord(body, 'reply').tokens, 'reply.tokens', readCount),
      options
    );
  }

  async loadModel(model: string): Promise<void> {
    const options = { body: { model }, timeoutMs: LOAD_TIMEOUT_MS };
    await this._api.json('POST', ['models', 'load'], () => null, options);
  }

  async unloadModel(model: string): Promise<void> {
    const options = { body: { model }, timeoutMs: SLOW_TIMEOUT_MS };
    await this._api.json('POST', ['models', 'unload'], () => null, options);
  }
}
