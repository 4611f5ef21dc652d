/**
 * The chat as a widget: puts the services together and takes what is dropped on it.
 *
 * Everything that is shown is made by the components of this folder. Called by `chat/open.ts`,
 * which loads this module when the chat is first opened.
 */

import { ReactWidget } from '@jupyterlab/apputils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import * as React from 'react';

import '../../../style/index.css';

import type { IDiagrams } from '../../diagrams/tokens';
import { FrameQueue } from '../markdown/frame_queue';
import { MarkdownRenderer } from '../markdown/renderer';
import type { IChatModel } from '../state';
import type { Workbench } from '../workbench';
import { CodeToolbars } from './code_toolbar';
import { decorateBlocks } from './diagrams';
import { ChatContext } from './context';
import type { ChatServices } from './context';
import { DropTarget } from './drop_target';
import { NearWatch } from './near_watch';
import { Panel } from './panel';
import { SpokenStatus } from './spoken_status';

export interface ChatViewOptions {
  readonly model: IChatModel;
  readonly workbench: Workbench;
  readonly rendermime: IRenderMimeRegistry;
  /** `null`: sources of diagrams are shown as code. */
  readonly diagrams: IDiagrams | null;
  readonly translator: ITranslator;
}

/** The whole chat; shown in a side panel or a tab. */
export function createChatView(options: ChatViewOptions): Widget {
  return new ChatPanel(options);
}

class ChatPanel extends ReactWidget {
  constructor({ model, workbench, rendermime, diagrams, translator }: ChatViewOptions) {
    super();
    const trans: TranslationBundle = translator.load('jupyter_localllm');
    this.addClass('jp-LocalLLMChat');
    this._queue = new FrameQueue();
    this._nearWatch = new NearWatch(this._queue);
    this._status = new SpokenStatus(model);
    const announce = (text: string): void => {
      this._status.say(text);
    };
    this._toolbars = new CodeToolbars({
      root: this.node,
      codeActions: workbench.codeActions,
      trans,
      announce
    });
    this._dropTarget = new DropTarget({ root: this.node, model, workbench, trans });
    this._services = {
      model,
      workbench,
      trans,
      renderer: new MarkdownRenderer(rendermime, trans),
      queue: this._queue,
      nearWatch: this._nearWatch,
      decorateCode: decorateBlocks({ toolbars: this._toolbars, diagrams, model, workbench }),
      draftWritten: this._draftWritten,
      writeDraft: text => {
        model.draft = text;
        this._draftWritten.emit();
      },
      announce
    };
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    super.dispose();
    Signal.clearData(this);
    this._dropTarget.dispose();
    this._toolbars.dispose();
    this._status.dispose();
    this._nearWatch.dispose();
    this._queue.dispose();
  }

  protected override render(): React.JSX.Element {
    return (
      <ChatContext.Provider value={this._services}>
        <Panel status={this._status} />
        <Mounted onMount={this._onMount} />
      </ChatContext.Provider>
    );
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._queue.setPaused(false);
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._queue.setPaused(true);
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this._focusInput();
  }

  private _focusInput(): void {
    const input = this.node.querySelector<HTMLElement>('.jp-LocalLLMChat-input');
    // The first request comes before React has made the input.
    this._isFocusWanted = input === null;
    input?.focus();
  }

  private readonly _onMount = (): void => {
    if (this._isFocusWanted) {
      this._focusInput();
    }
  };

  private _isFocusWanted = false;
  private readonly _draftWritten = new Signal<this, void>(this);
  private readonly _queue: FrameQueue;
  private readonly _nearWatch: NearWatch;
  private readonly _status: SpokenStatus;
  private readonly _toolbars: CodeToolbars;
  private readonly _dropTarget: DropTarget;
  private readonly _services: ChatServices;
}

/** Calls once when everything beside it is in the page. */
function Mounted({ onMount }: { readonly onMount: () => void }): null {
  React.useEffect(onMount, [onMount]);
  return null;
}
