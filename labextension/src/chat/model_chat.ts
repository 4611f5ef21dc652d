/**
 * The chat that is shown: its tree of messages and the branch of it that is open.
 *
 * Holds and changes values; asks nobody. Only the chat model calls it.
 */

import type { Chat, MessageRecord } from '../chat_protocol';
import type { ContextUse, OpenChat, ShownMessage } from './state';
import type { ModelInfo } from '../protocol';
import { branchTo, childrenOf, newestLeaf, showBranch } from './tree.js';

/** What a chat is before its first question. */
export interface EmptyChat {
  readonly chatId: string;
  readonly systemPrompt: string;
}

export class ShownChat {
  constructor(start: EmptyChat) {
    this._chat = Object.freeze({ ...start, title: '', isKept: false, isLoading: false });
  }

  /** A chat of the server whose messages are still to come. */
  static loading(chatId: string, title: string): ShownChat {
    const shown = new ShownChat({ chatId, systemPrompt: '' });
    shown.patch({ title, isKept: true, isLoading: true });
    return shown;
  }

  get chat(): OpenChat {
    return this._chat;
  }

  get messages(): readonly ShownMessage[] {
    return this._messages;
  }

  get currentId(): string | null {
    return this._currentId;
  }

  /** The answer that is being written, on whichever branch. */
  get writingId(): string | null {
    return this._writingId;
  }

  /** How many messages of it are known, on all branches. */
  get nKnown(): number {
    return this._records.size;
  }

  get(messageId: string): MessageRecord | undefined {
    return this._records.get(messageId);
  }

  /** The question above this answer, or the question itself. */
  questionOf(messageId: string): MessageRecord | undefined {
    const record = this._records.get(messageId);
    if (record?.role !== 'assistant') {
      return record;
    }
    return record.parentId === null ? undefined : this._records.get(record.parentId);
  }

  patch(change: Partial<OpenChat>): void {
    this._chat = Object.freeze({ ...this._chat, ...change });
  }

  /**
   * Take the chat as the server had it when it was asked. Messages are never taken out of a chat,
   * so what is known here and not there is newer, or still on its way; and an answer that has
   * ended does not begin again.
   */
  load(chat: Chat): void {
    const { title, systemPrompt } = chat;
    this.patch({ title, systemPrompt, isKept: true, isLoading: false });
    const newer = new Map(this._records);
    this._records = new Map();
    for (const record of chat.messages) {
      const known = newer.get(record.messageId);
      const isLate = known !== undefined && known.state !== 'writing' && record.state === 'writing';
      this._records.set(record.messageId, isLate ? known : record);
      newer.delete(record.messageId);
    }
    newer.forEach((record, messageId) => this._records.set(messageId, record));
    if (newer.size === 0 || this._currentId === null) {
      this._currentId = chat.currentId;
    }
    this._update();
  }

  /** Add or replace messages; show the branch of `currentId` where one is given. */
  put(records: readonly MessageRecord[], currentId: string | null): void {
    for (const record of records) {
      this._records.set(record.messageId, record);
    }
    if (currentId !== null && this._records.has(currentId)) {
      this._currentId = currentId;
    }
    this._update();
  }

  /** Take messages back that never reached the server. */
  remove(messageIds: readonly string[], currentId: string | null): void {
    messageIds.forEach(id => this._records.delete(id));
    this._currentId = currentId;
    this._update();
  }

  /** Show the newest branch that this message is in; returns its last message. */
  show(messageId: string): string | null {
    if (!this._records.has(messageId)) {
      return null;
    }
    this._currentId = newestLeaf(childrenOf(this._records), messageId);
    this._update();
    return this._currentId;
  }

  /** How full the context window was at the last answer of the branch that was measured. */
  contextUse(models: readonly ModelInfo[]): ContextUse | null {
    for (const { record } of [...this._messages].reverse()) {
      const { usage } = record;
      const usedTokens = usage === null ? 0 : usage.promptTokens + usage.completionTokens;
      if (usedTokens > 0) {
        const model = models.find(one => one.id === record.model);
        const windowTokens = model?.contextWindow ?? null;
        return windowTokens === null ? null : Object.freeze({ usedTokens, windowTokens });
      }
    }
    return null;
  }

  private _update(): void {
    const children = childrenOf(this._records);
    const known = this._currentId !== null && this._records.has(this._currentId);
    // A branch is shown to its end; the server may name a message in its middle.
    const leafId = newestLeaf(children, known ? this._currentId : null);
    this._currentId = leafId;
    this._messages = showBranch(branchTo(this._records, leafId), children, this._messages);
    const all = [...this._records.values()];
    this._writingId = all.find(record => record.state === 'writing')?.messageId ?? null;
  }

  private _chat: OpenChat;
  private _currentId: string | null = null;
  private _messages: readonly ShownMessage[] = Object.freeze([]);
  private _records = new Map<string, MessageRecord>();
  private _writingId: string | null = null;
}
