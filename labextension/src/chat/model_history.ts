/**
 * What is done to kept chats: open, rename, delete and bring back, export and import.
 *
 * Only the chat model calls it.
 */

import type { Chat, ChatSummary } from '../chat_protocol';
import type { ChatFrame } from '../frames';
import { ApiError } from '../service/api.js';
import { ShownChat } from './model_chat.js';
import type { ExportFormat, ModelCore } from './model_core';

/** Kind of the notice that a chat could not be read again. */
const RELOAD_FAILED = 'reload-failed';

export class History {
  /**
   * @param _onLoaded - A chat has been read from the server.
   */
  constructor(
    private readonly _core: ModelCore,
    private readonly _onLoaded: (chat: Chat) => void
  ) {}

  /** Read the list of chats and what the server has to say about the history. */
  async refreshList(): Promise<void> {
    const { options, kept } = this._core;
    const list = await this._core.tell(() => options.chats.list());
    if (list !== null) {
      kept.replace(list.chats);
      list.notices.forEach(notice => {
        this._core.notices.add({ ...notice, severity: 'warning' }, notice.code);
      });
    }
  }

  newChat(): void {
    this._core.show(this._core.emptyChat());
  }

  /**
   * Show a chat of the server.
   *
   * @param isQuiet - It is opened by itself: where it is gone, an empty one is shown instead.
   */
  async open(chatId: string, isQuiet: boolean): Promise<void> {
    const core = this._core;
    const before = core.shown;
    if (before.chat.chatId === chatId && !before.chat.isLoading) {
      await this.reload(chatId);
      return;
    }
    const shown = ShownChat.loading(chatId, core.kept.get(chatId)?.title ?? '');
    core.show(shown);
    try {
      const chat = await core.options.chats.get(chatId);
      this._take(shown, chat);
      if (core.shown === shown && chat.model !== core.modelId) {
        core.modelId = chat.model;
        core.chips.recount();
        core.touch();
      }
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      if (core.shown !== shown) {
        return;
      }
      const isGone = error.status === 404;
      if (!(isQuiet && isGone)) {
        core.fail(error.wire);
      }
      if (isQuiet && error.isAway) {
        // It is read again when the connection is open.
        this._wasAway = true;
        return;
      }
      core.show(before.chat.isLoading ? core.emptyChat() : before);
    }
  }

  /** Whether a chat could not be read because the server was away. */
  get wasAway(): boolean {
    return this._wasAway;
  }

  /** Read a chat again after something may have been missed. */
  async reload(chatId: string): Promise<'read' | 'gone' | 'failed'> {
    const core = this._core;
    const { shown } = core;
    try {
      const chat = await core.options.chats.get(chatId);
      this._take(shown.chat.chatId === chatId ? shown : null, chat);
      this._wasAway = false;
      return 'read';
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      if (error.status !== 404) {
        core.fail(error.wire, RELOAD_FAILED);
        return 'failed';
      }
      if (core.shown === shown && shown.chat.chatId === chatId) {
        this._sayGone();
      }
      return 'gone';
    }
  }

  async rename(chatId: string, title: string): Promise<void> {
    const core = this._core;
    const { shown } = core;
    if (chatId === shown.chat.chatId && !shown.chat.isKept) {
      shown.patch({ title });
      core.touch();
      return;
    }
    const summary = await core.tell(() => core.options.chats.change(chatId, { title }));
    if (summary !== null) {
      this._heard(summary);
    }
  }

  async remove(chatId: string): Promise<void> {
    const core = this._core;
    const { trans, chats } = core.options;
    const wasShown = chatId === core.shown.chat.chatId;
    if (wasShown && !core.shown.chat.isKept) {
      this.newChat();
      return;
    }
    const title = wasShown ? core.shown.chat.title : (core.kept.get(chatId)?.title ?? '');
    this._removing.add(chatId);
    const removed = await core.tell(() => chats.remove(chatId));
    this._removing.delete(chatId);
    if (removed === null) {
      return;
    }
    this._takeAway(chatId);
    const kind = `deleted-${chatId}`;
    const run = (): void => {
      core.notices.dismiss(kind);
      void this._restore(chatId, wasShown);
    };
    const action = { label: trans.__('Undo'), run };
    const message = trans.__('The chat “%1” was deleted.', title);
    core.notices.add({ severity: 'info', message, hint: '', action }, kind);
  }

  async setSystemPrompt(systemPrompt: string): Promise<void> {
    const core = this._core;
    const { shown } = core;
    const { chatId, isKept } = shown.chat;
    if (isKept) {
      const change = { systemPrompt };
      if ((await core.tell(() => core.options.chats.change(chatId, change))) === null) {
        return;
      }
    }
    shown.patch({ systemPrompt });
    core.touch();
  }

  async search(query: string): Promise<readonly ChatSummary[]> {
    const found = await this._core.tell(() => this._core.options.chats.list(query));
    return found?.chats ?? [];
  }

  /** @throws ApiError, for whoever wanted the text to show. */
  export(chatId: string, format: ExportFormat): Promise<string> {
    return this._core.options.chats.export(chatId, format);
  }

  async import(text: string): Promise<void> {
    const core = this._core;
    const summary = await core.tell(() => core.options.chats.import(text));
    if (summary !== null) {
      core.kept.put(summary);
      await this.open(summary.chatId, false);
    }
  }

  /** Some page of this user, perhaps this one, changed a chat. */
  receive(frame: ChatFrame): void {
    const { chatId, change, summary } = frame;
    if (change === 'deleted') {
      const isOurs = this._removing.has(chatId);
      if (chatId === this._core.shown.chat.chatId && this._core.shown.chat.isKept && !isOurs) {
        this._sayGone();
      }
      this._takeAway(chatId);
    } else if (summary !== null) {
      this._heard(summary);
    }
  }

  private _take(shown: ShownChat | null, chat: Chat): void {
    if (shown !== null) {
      shown.load(chat);
      if (shown === this._core.shown) {
        this._core.rememberChat();
      }
    }
    this._onLoaded(chat);
    this._core.touch();
  }

  private _heard(summary: ChatSummary): void {
    const { kept, shown } = this._core;
    kept.put(summary);
    if (shown.chat.chatId === summary.chatId && shown.chat.title !== summary.title) {
      shown.patch({ title: summary.title });
      this._core.touch();
    }
    if (shown.chat.chatId === summary.chatId && summary.nMessages > shown.nKnown) {
      // Somebody else wrote into it: a magic, or another server.
      void this.reload(summary.chatId);
    }
  }

  private _takeAway(chatId: string): void {
    this._core.kept.remove(chatId);
    if (chatId === this._core.shown.chat.chatId) {
      this.newChat();
    }
  }

  private _sayGone(): void {
    const { trans } = this._core.options;
    this._core.notices.add({
      severity: 'info',
      message: trans.__('The chat that was shown here has been deleted.'),
      hint: trans.__('It can be brought back where it was deleted; this is a new one.')
    });
    this._takeAway(this._core.shown.chat.chatId);
  }

  private async _restore(chatId: string, show: boolean): Promise<void> {
    const core = this._core;
    const summary = await core.tell(() => core.options.chats.restore(chatId));
    if (summary !== null) {
      core.kept.put(summary);
      if (show) {
        await this.open(chatId, false);
      }
    }
  }

  private readonly _removing = new Set<string>();
  private _wasAway = false;
}
