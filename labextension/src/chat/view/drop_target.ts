/**
 * Takes cells and files that are dragged onto the chat from elsewhere in JupyterLab.
 *
 * Files of the computer itself are not taken: a chat reads only what Jupyter can. Called by
 * `index.tsx`.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import type { Drag } from '@lumino/dragdrop';

import type { IChatModel } from '../state';
import type { Workbench } from '../workbench';
import { hintOf, messageOf } from './failure';

export interface DropTargetOptions {
  readonly root: HTMLElement;
  readonly model: IChatModel;
  readonly workbench: Workbench;
  readonly trans: TranslationBundle;
}

const EVENTS = ['lm-dragenter', 'lm-dragover', 'lm-dragleave', 'lm-drop', 'dragover', 'drop'];
const DROP_CLASS = 'jp-mod-dropTarget';

export class DropTarget implements IDisposable, EventListenerObject {
  constructor(options: DropTargetOptions) {
    this._options = options;
    for (const name of EVENTS) {
      options.root.addEventListener(name, this, true);
    }
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    for (const name of EVENTS) {
      this._options.root.removeEventListener(name, this, true);
    }
  }

  handleEvent(event: Event): void {
    if (event.type === 'dragover' || event.type === 'drop') {
      this._onForeign(event as DragEvent);
    } else {
      this._onLumino(event as Drag.Event);
    }
  }

  private _onLumino(event: Drag.Event): void {
    const { root, workbench } = this._options;
    if (event.type === 'lm-dragleave') {
      const target = event.relatedTarget;
      if (!(target instanceof Node && root.contains(target))) {
        root.classList.remove(DROP_CLASS);
      }
      return;
    }
    if (!workbench.contextSources.canDrop(event.mimeData)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    // Copying, also where a notebook offers to move its cells: a drop here takes nothing away.
    event.dropAction = event.supportedActions === 'move' ? 'move' : 'copy';
    root.classList.toggle(DROP_CLASS, event.type !== 'lm-drop');
    if (event.type === 'lm-drop') {
      // Said to have been refused, so that the source does not remove what it thinks was moved.
      event.dropAction = 'none';
      void this._attach(event.mimeData);
    }
  }

  private async _attach(data: Drag.Event['mimeData']): Promise<void> {
    const { model, workbench, trans } = this._options;
    try {
      for (const item of await workbench.contextSources.readDrop(data)) {
        model.addChip(item);
      }
    } catch (error) {
      model.notify({
        severity: 'error',
        message: messageOf(error, trans.__('What was dropped could not be read.')),
        hint: hintOf(error)
      });
    }
  }

  private _onForeign(event: DragEvent): void {
    if (event.dataTransfer?.types.includes('Files') !== true) {
      return;
    }
    // Otherwise the browser would leave JupyterLab to show the file.
    event.preventDefault();
    event.dataTransfer.dropEffect = 'none';
    if (event.type === 'drop') {
      event.stopPropagation();
    }
  }

  private readonly _options: DropTargetOptions;
  private _isDisposed = false;
}
