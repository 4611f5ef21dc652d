/**
 * The chat as components and commands use it: one state, and everything that can be done with it.
 *
 * Listens to connection, models and settings; the work is done by its parts, `model_*.ts`. No widget and no service of Lab is imported, so that all of it runs under Node in
 * tests. Made by `open.ts`.
 */

import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { ChatSummary, ContextItem } from '../chat_protocol';
import type { NoticeFrame } from '../frames';
import type { WireError } from '../protocol';
import type { DeliveredFrame } from '../service/connection';
import { MAX_CHIPS } from './model_chips.js';
import { ModelCore } from './model_core.js';
import type { ChatModelOptions, ExportFormat } from './model_core';
import { History } from './model_history.js';
import { newQuestion, newRegeneration } from './model_questions.js';
import { Sending } from './model_sending.js';
import type { ChatState, IChatModel, ILiveAnswer, Notice, Question } from './state';

export type { ChatModelOptions };

export class ChatModel implements IChatModel, IDisposable {
  constructor(options: ChatModelOptions) {
    const { connection, modelStatus, settings } = options;
    this._core = new ModelCore(options, () => {
      this._changed.emit();
    });
    this._history = new History(this._core, chat => {
      this._sending.answers.compare(chat);
    });
    this._sending = new Sending(this._core, this._history, isBusy => {
      this._onBusy(isBusy);
    });
    connection.frame.connect((_, frame) => {
      this._onFrame(frame);
    }, this);
    connection.stateChanged.connect(() => {
      this._onConnection();
    }, this);
    modelStatus.changed.connect(() => {
      this._onModels();
    }, this);
    settings.changed.connect(() => {
      this._onSettings();
    }, this);
    this._onModels();
  }

  get state(): ChatState {
    return this._core.state;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get draft(): string {
    return this._core.draft;
  }

  set draft(text: string) {
    this._core.draft = text;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._watch?.dispose();
      this._sending.answers.dispose();
      this._core.dispose();
      Signal.clearData(this);
    }
  }

  live(messageId: string): ILiveAnswer | null {
    return this._sending.answers.live(messageId);
  }

  /** Read the list of chats, and show the one that this page showed last. */
  async restore(): Promise<void> {
    const { chatId } = this._core.options.memory.value;
    const opening = chatId === '' ? Promise.resolve() : this._history.open(chatId, true);
    await Promise.all([this._history.refreshList(), opening]);
  }

  // --- questions and answers -------------------------------------------------------------

  ask(question: Question): Promise<boolean> {
    if (!this._sending.canAsk()) {
      return Promise.resolve(false);
    }
    const { shown, chips } = this._core;
    // Not waited for: the input is free at once, and gets the text back where it is not taken.
    void this._sending.start(newQuestion(shown, question, chips.take(), this._sending.settings));
    return Promise.resolve(true);
  }

  async regenerate(messageId: string): Promise<void> {
    const { shown } = this._core;
    const question = shown.questionOf(messageId);
    if (question !== undefined && this._sending.canAsk()) {
      await this._sending.start(newRegeneration(shown, question, this._sending.settings));
    }
  }

  async edit(messageId: string, content: string): Promise<void> {
    const { shown } = this._core;
    const original = shown.questionOf(messageId);
    if (original !== undefined && this._sending.canAsk()) {
      const { action, context, parentId } = original;
      const settings = this._sending.settings;
      await this._sending.start(newQuestion(shown, { content, action }, context, settings, parentId));
    }
  }

  stop(): void {
    const { writingId } = this._core.shown;
    if (writingId !== null) {
      this._sending.answers.stop(writingId);
    }
  }

  showBranch(messageId: string): void {
    const { shown, options } = this._core;
    const currentId = shown.show(messageId);
    this._core.touch();
    const { chatId, isKept } = shown.chat;
    const isPending = this._sending.answers.pending.some(({ ask }) => ask.requestId === currentId);
    if (currentId !== null && isKept && !isPending) {
      void this._core.tell(() => options.chats.change(chatId, { currentId }));
    }
  }

  // --- chats -----------------------------------------------------------------------------

  newChat(): void {
    this._history.newChat();
  }

  openChat(chatId: string): Promise<void> {
    return this._history.open(chatId, false);
  }

  renameChat(chatId: string, title: string): Promise<void> {
    return this._history.rename(chatId, title);
  }

  deleteChat(chatId: string): Promise<void> {
    return this._history.remove(chatId);
  }

  setSystemPrompt(text: string): Promise<void> {
    return this._history.setSystemPrompt(text);
  }

  searchChats(query: string): Promise<readonly ChatSummary[]> {
    return this._history.search(query);
  }

  exportChat(chatId: string, format: ExportFormat): Promise<string> {
    return this._history.export(chatId, format);
  }

  importChat(text: string): Promise<void> {
    return this._history.import(text);
  }

  // --- models ----------------------------------------------------------------------------

  chooseModel(modelId: string): void {
    const { options, shown } = this._core;
    if (modelId === this._core.modelId) {
      return;
    }
    this._core.modelId = modelId;
    options.memory.set({ modelId });
    this._core.chips.recount();
    this._core.touch();
    if (shown.chat.isKept) {
      void this._core.tell(() => options.chats.change(shown.chat.chatId, { model: modelId }));
    }
  }

  async loadModel(modelId: string): Promise<void> {
    const { chats, modelStatus } = this._core.options;
    const watch = modelStatus.watchClosely();
    try {
      await this._core.tell(() => chats.loadModel(modelId));
    } finally {
      watch.dispose();
    }
    await modelStatus.refresh();
  }

  async unloadModel(modelId: string): Promise<void> {
    const { chats, modelStatus } = this._core.options;
    await this._core.tell(() => chats.unloadModel(modelId));
    await modelStatus.refresh();
  }

  // --- chips and notices -----------------------------------------------------------------

  addChip(item: ContextItem): void {
    if (!this._core.chips.add(item)) {
      const { trans } = this._core.options;
      this.notify({
        severity: 'warning',
        message: trans.__('At most %1 things can be attached to a question.', MAX_CHIPS),
        hint: trans.__('Remove one first.')
      });
    }
  }

  removeChip(chipId: string): void {
    this._core.chips.remove(chipId);
  }

  notify(notice: Omit<Notice, 'noticeId'>): void {
    this._core.notices.add(notice);
  }

  dismiss(noticeId: string): void {
    this._core.notices.dismiss(noticeId);
  }

  notifyError(error: WireError): void {
    this._core.fail(error);
  }

  // --- listening -------------------------------------------------------------------------

  private _onFrame(frame: DeliveredFrame): void {
    if (frame.type === 'chat') {
      this._history.receive(frame);
    } else if (frame.type === 'notice') {
      this._onNotice(frame);
    } else {
      this._sending.receive(frame);
    }
  }

  private _onNotice({ code, message, hint }: NoticeFrame): void {
    if (code === 'history_saved') {
      this._core.notices.dismiss('history_not_saved');
    } else {
      this._core.notices.add({ severity: 'warning', message, hint }, code);
    }
  }

  private _onConnection(): void {
    if (this._core.options.connection.state.kind !== 'open') {
      this._wasLost = true;
      this._sending.answers.markLost();
    } else if (this._wasLost || this._history.wasAway) {
      this._wasLost = false;
      void this._sending.catchUp();
    }
    this._core.touch();
  }

  private _onModels(): void {
    this._core.setModels(this._core.options.modelStatus.status?.models ?? this._core.models);
  }

  private _onSettings(): void {
    const { shown, options } = this._core;
    if (!shown.chat.isKept && shown.messages.length === 0) {
      shown.patch({ systemPrompt: options.settings.current.systemPrompt });
    }
    this._core.touch();
  }

  private _onBusy(isBusy: boolean): void {
    if (isBusy) {
      this._watch ??= this._core.options.modelStatus.watchClosely();
    } else {
      this._watch?.dispose();
      this._watch = null;
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _core: ModelCore;
  private readonly _history: History;
  private readonly _sending: Sending;
  private _isDisposed = false;
  private _wasLost = false;
  private _watch: IDisposable | null = null;
}
