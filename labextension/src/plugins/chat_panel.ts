/**
 * The chat's place in the right sidebar before the chat is there: loads it when first shown.
 *
 * Holds no part of the chat itself. Made by `plugins/chat.ts` at Lab's start.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';
import { PanelLayout, Widget } from '@lumino/widgets';

import type { OpenedChat } from '../chat/open';
import { CHAT_PANEL_ID } from '../tokens';
import { chatIcon } from './icon';

export class ChatPanel extends Widget {
  /**
   * @param _load - Loads and makes the chat.
   */
  constructor(
    private readonly _load: () => Promise<OpenedChat>,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.id = CHAT_PANEL_ID;
    this.addClass('jp-LocalLLMChatPanel');
    this.title.icon = chatIcon;
    this.title.caption = _trans.__('Local LLM chat');
    // The name of the panel for those who hear the page.
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', _trans.__('Local LLM chat'));
    this.layout = this._panel;
  }

  /** The chat, or `null` where it is not open yet. */
  get chat(): OpenedChat | null {
    return this._chat;
  }

  /** Fires once, when the chat is there. */
  get opened(): ISignal<this, OpenedChat> {
    return this._opened;
  }

  /** Load the chat, once; a failed load is tried again by the next call. */
  open(): Promise<OpenedChat> {
    this._opening ??= this._open();
    return this._opening;
  }

  override dispose(): void {
    this._chat?.dispose();
    super.dispose();
  }

  protected override onBeforeShow(message: Message): void {
    super.onBeforeShow(message);
    this.open().catch(() => undefined);
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.open()
      .then(({ view }) => {
        view.activate();
      })
      .catch(() => undefined);
  }

  private async _open(): Promise<OpenedChat> {
    this._say(this._trans.__('Loading the chat…'), '', false);
    try {
      const chat = await this._load();
      this._chat = chat;
      this._note?.dispose();
      this._note = null;
      this._panel.addWidget(chat.view);
      this._opened.emit(chat);
      return chat;
    } catch (error) {
      this._opening = null;
      console.error('jupyter_localllm: the chat could not be loaded.', error);
      this._say(
        this._trans.__('The chat could not be loaded.'),
        this._trans.__('Check that the Jupyter server is running; if it was updated, reload this page.'),
        true
      );
      throw error;
    }
  }

  private _say(message: string, hint: string, hasFailed: boolean): void {
    this._note?.dispose();
    const note = new Widget();
    note.addClass('jp-LocalLLMChatPanel-note');
    note.node.style.padding = '12px';
    note.node.setAttribute('role', hasFailed ? 'alert' : 'status');
    for (const text of [message, hint].filter(Boolean)) {
      const paragraph = document.createElement('p');
      paragraph.textContent = text;
      note.node.append(paragraph);
    }
    if (hasFailed) {
      const retry = document.createElement('button');
      retry.className = 'jp-Button jp-mod-styled jp-mod-accept';
      retry.textContent = this._trans.__('Retry');
      retry.addEventListener('click', () => {
        this.open().catch(() => undefined);
      });
      note.node.append(retry);
    }
    this._note = note;
    this._panel.addWidget(note);
  }

  private _chat: OpenedChat | null = null;
  private _note: Widget | null = null;
  private readonly _opened = new Signal<this, OpenedChat>(this);
  private readonly _panel = new PanelLayout();
  private _opening: Promise<OpenedChat> | null = null;
}
