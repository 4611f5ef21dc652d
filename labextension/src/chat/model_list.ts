/**
 * The list of kept chats, newest first, as far as the server has told.
 *
 * Only the chat model calls it.
 */

import type { ChatSummary } from '../chat_protocol';

export class KeptChats {
  constructor(private readonly _onChange: () => void) {}

  get list(): readonly ChatSummary[] {
    return this._list;
  }

  get(chatId: string): ChatSummary | undefined {
    return this._list.find(chat => chat.chatId === chatId);
  }

  replace(chats: readonly ChatSummary[]): void {
    this._set(chats);
  }

  /** Add or replace one. */
  put(summary: ChatSummary): void {
    this._set([summary, ...this._list.filter(chat => chat.chatId !== summary.chatId)]);
  }

  remove(chatId: string): void {
    if (this.get(chatId) !== undefined) {
      this._set(this._list.filter(chat => chat.chatId !== chatId));
    }
  }

  private _set(chats: readonly ChatSummary[]): void {
    this._list = Object.freeze([...chats].sort((a, b) => b.updatedMs - a.updatedMs));
    this._onChange();
  }

  private _list: readonly ChatSummary[] = Object.freeze([]);
}
