/**
 * What the parts of the chat model share: the values behind its state, and the way to say that one
 * has changed or that something failed.
 *
 * Asks no server. Made by the chat model, handed to its parts.
 */

import { UUID } from '@lumino/coreutils';

import type { ModelInfo, WireError } from '../protocol';
import { ApiError } from '../service/api.js';
import type { ExportFormat, IChats } from '../service/chats';
import type { IChatConnection } from '../service/connection';
import type { IModelStatus } from '../service/model_status';
import type { Translator } from '../service/status_text';
import { ShownChat } from './model_chat.js';
import { Chips } from './model_chips.js';
import { KeptChats } from './model_list.js';
import type { PageMemory } from './model_memory';
import { Notices } from './model_notices.js';
import type { ChatState } from './state';
import type { IChatSettings } from './workbench';

export type { ExportFormat };

export interface ChatModelOptions {
  readonly connection: IChatConnection;
  readonly chats: IChats;
  readonly modelStatus: IModelStatus;
  readonly settings: IChatSettings;
  readonly memory: PageMemory;
  readonly trans: Translator;
}

const NO_MODELS: readonly ModelInfo[] = Object.freeze([]);

export class ModelCore {
  /**
   * @param onChange - Called after every change of the state.
   */
  constructor(
    readonly options: ChatModelOptions,
    private readonly _onChange: () => void
  ) {
    const touch = (): void => {
      this.touch();
    };
    this.modelId = options.memory.value.modelId;
    this.notices = new Notices(touch);
    this.kept = new KeptChats(touch);
    this.chips = new Chips(
      texts => options.chats.countTokens(this.modelId, texts),
      () => UUID.uuid4(),
      touch
    );
    this._shown = this.emptyChat();
  }

  readonly chips: Chips;
  readonly kept: KeptChats;
  readonly notices: Notices;

  /** The model that the next question goes to; '' is the server's default. */
  modelId: string;

  /** The text in the input. */
  get draft(): string {
    return this.options.memory.value.draft;
  }

  set draft(text: string) {
    this.options.memory.setDraft(text);
  }

  get shown(): ShownChat {
    return this._shown;
  }

  get models(): readonly ModelInfo[] {
    return this._models;
  }

  get state(): ChatState {
    this._state ??= Object.freeze({
      connection: this.options.connection.state,
      chat: this._shown.chat,
      messages: this._shown.messages,
      writingId: this._shown.writingId,
      chats: this.kept.list,
      models: this._models,
      modelId: this.modelId,
      chips: this.chips.list,
      contextUse: this._shown.contextUse(this._models),
      notices: this.notices.list,
      announcement: this._announcement
    });
    return this._state;
  }

  /** The state has changed. */
  touch(): void {
    this._state = null;
    if (!this._isDisposed) {
      this._onChange();
    }
  }

  announce(text: string): void {
    this._announcement = Object.freeze({ text });
    this.touch();
  }

  emptyChat(): ShownChat {
    const { systemPrompt } = this.options.settings.current;
    return new ShownChat({ chatId: UUID.uuid4(), systemPrompt });
  }

  /** Show another chat. */
  show(shown: ShownChat): void {
    this._shown = shown;
    this.rememberChat();
    this.touch();
  }

  /** Remember the chat that is shown over a reload, once it is on the server. */
  rememberChat(): void {
    const { chatId, isKept } = this._shown.chat;
    this.options.memory.set({ chatId: isKept ? chatId : '' });
  }

  setModels(models: readonly ModelInfo[]): void {
    // Polls say mostly the same; components compare by identity.
    if (JSON.stringify(models) !== JSON.stringify(this._models)) {
      this._models = Object.freeze([...models]);
      this.touch();
    }
  }

  fail(error: WireError, kind = ''): void {
    this.notices.add({ severity: 'error', message: error.message, hint: error.hint }, kind);
  }

  /** Ask the server; a failure becomes a notice and `null`. */
  async tell<T>(request: () => Promise<T>): Promise<T | null> {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      this.fail(error.wire);
      return null;
    }
  }

  dispose(): void {
    this._isDisposed = true;
    this.chips.dispose();
    this.options.memory.flush();
  }

  private _announcement: { readonly text: string } = Object.freeze({ text: '' });
  private _isDisposed = false;
  private _models: readonly ModelInfo[] = NO_MODELS;
  private _shown: ShownChat;
  private _state: ChatState | null = null;
}
