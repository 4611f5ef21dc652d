/**
 * Sends questions: makes their chat where it is not kept yet, sends again what was lost on the way,
 * and puts back into the input what the server does not take.
 *
 * Only the chat model calls it.
 */

import type { NumberedFrame } from '../frames';
import { ApiError } from '../service/api.js';
import type { DeliveredFrame } from '../service/connection';
import { Answers } from './model_answers.js';
import type { Pending } from './model_answers';
import type { ModelCore } from './model_core';
import type { History } from './model_history';
import type { AskSettings, Prepared } from './model_questions';

export class Sending {
  /**
   * @param onBusy - Called when an answer begins or ends, with whether any is being written.
   */
  constructor(
    private readonly _core: ModelCore,
    private readonly _history: History,
    onBusy: (isBusy: boolean) => void
  ) {
    const { connection, trans } = _core.options;
    const hooks: ConstructorParameters<typeof Answers>[1] = {
      shown: () => _core.shown,
      touch: () => {
        _core.touch();
      },
      announce: text => {
        _core.announce(text);
      },
      fail: error => {
        _core.fail(error);
      },
      takeBack: pending => {
        this._takeBack(pending);
      },
      reload: chatId => {
        void _history.reload(chatId);
      },
      busyChanged: () => {
        onBusy(this.answers.isBusy);
      }
    };
    this.answers = new Answers(connection, hooks, trans, () => performance.now());
  }

  readonly answers: Answers;

  get settings(): AskSettings {
    const { maxTokens, temperature } = this._core.options.settings.current;
    return { model: this._core.modelId, maxTokens, temperature };
  }

  /** Whether a question can be asked in the chat that is shown; says why not, where it is news. */
  canAsk(): boolean {
    const { state } = this._core.options.connection;
    if (state.kind === 'refused') {
      this._core.fail({ code: 'refused', message: state.message, hint: state.hint });
      return false;
    }
    const { chat, writingId } = this._core.shown;
    return writingId === null && !chat.isLoading;
  }

  async start({ pending, records }: Prepared): Promise<void> {
    this.answers.begin(pending, records);
    await this._send(pending);
  }

  /** The connection is back: find out what happened meanwhile, and send what never arrived. */
  async catchUp(): Promise<void> {
    const { chat } = this._core.shown;
    const sent = this.answers.pending.filter(one => one.isSent);
    const chatIds = new Set(sent.map(({ ask }) => ask.chatId));
    if (chat.isKept) {
      chatIds.add(chat.chatId);
    }
    void this._history.refreshList();
    for (const chatId of chatIds) {
      const outcome = await this._history.reload(chatId);
      if (outcome !== 'read') {
        this.answers.settleBlindly(chatId, outcome === 'gone');
      }
    }
    for (const one of this.answers.pending.filter(({ isSent }) => !isSent)) {
      await this._send(one);
    }
  }

  /** A frame about a message or an answer. */
  receive(frame: DeliveredFrame): void {
    if (frame.type === 'message') {
      this.answers.receiveMessage(frame);
    } else if (frame.type !== 'error') {
      this.answers.receive(frame as NumberedFrame);
    } else if (frame.requestId === null) {
      this._core.fail(frame.error);
    } else if (frame.seq === null) {
      this.answers.receiveRefusal({ ...frame, requestId: frame.requestId });
    } else {
      this.answers.receive({ ...frame, requestId: frame.requestId, seq: frame.seq });
    }
  }

  private async _send(pending: Pending): Promise<void> {
    if (this._core.shown.chat.chatId === pending.ask.chatId && !(await this._keep(pending))) {
      return;
    }
    if (this.answers.pending.includes(pending)) {
      this.answers.send(pending);
    }
  }

  /** Make the chat of a question on the server, where it is not there yet. */
  private async _keep(pending: Pending): Promise<boolean> {
    const { options, kept, shown } = this._core;
    const { chatId, title, systemPrompt, isKept } = shown.chat;
    if (isKept) {
      return true;
    }
    try {
      const { model } = pending.ask;
      const summary = await options.chats.create({ chatId, title, model, systemPrompt });
      kept.put(summary);
      shown.patch({ isKept: true, title: summary.title });
      if (shown === this._core.shown) {
        this._core.rememberChat();
      }
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      // While the connection is lost, the question waits for it like any other.
      if (!error.isAway || options.connection.state.kind === 'open') {
        this.answers.refuse(pending);
        this._core.fail(error.wire);
      }
      return false;
    }
  }

  private _takeBack({ ask, taken, beforeId }: Pending): void {
    const { shown, chips } = this._core;
    if (ask.chatId === shown.chat.chatId) {
      const ids = [ask.requestId, ...(ask.message === null ? [] : [ask.message.messageId])];
      shown.remove(ids, beforeId);
    }
    if (taken !== null) {
      chips.putBack(taken.items);
      if (this._core.draft.trim() === '') {
        this._core.draft = taken.content;
      }
    }
  }
}
