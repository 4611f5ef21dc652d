/**
 * The notebook that a person sees: which it is, its active cell, its kernel.
 *
 * Follows Lab's tracker and shell and tells by one throttled signal that something may have
 * changed. Reads only; what is written to a notebook stands in `code_actions.ts`.
 */

import type { JupyterFrontEnd, LabShell } from '@jupyterlab/application';
import type { Cell, ICellModel } from '@jupyterlab/cells';
import { NotebookActions } from '@jupyterlab/notebook';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Throttler } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { KernelState, NotebookFacts } from './code_refusals.js';

/** Typing changes a cell at every key; the chat need not look that often. */
const CHANGE_INTERVAL_MS = 100;

/** Whether Lab has this widget on the screen. */
function isShown(panel: NotebookPanel): boolean {
  return panel.isAttached && panel.isVisible && !panel.isDisposed;
}

/** The state of a panel's kernel, as far as the buttons care. */
function kernelState(panel: NotebookPanel): KernelState {
  const { sessionContext } = panel;
  const kernel = sessionContext.session?.kernel;
  if (kernel === null || kernel === undefined) {
    return sessionContext.isReady ? 'none' : 'starting';
  }
  return kernel.status === 'dead' ? 'dead' : 'ready';
}

/** The language of a notebook: as its kernel told, or as its file says. */
export function notebookLanguage(panel: NotebookPanel): string {
  const fromInfo = panel.content.model?.defaultKernelLanguage ?? '';
  if (fromInfo !== '') {
    return fromInfo;
  }
  const kernelspec: unknown = panel.content.model?.getMetadata('kernelspec');
  const language =
    typeof kernelspec === 'object' && kernelspec !== null && 'language' in kernelspec
      ? kernelspec.language
      : '';
  return typeof language === 'string' ? language : '';
}

/** Follows the visible notebook. */
export class ActiveNotebook implements IDisposable {
  // Slots are fields, so that they are bound and are the same at connect and at disconnect.
  private readonly onChanged = (): void => {
    this.follow();
    void this.throttler.invoke();
  };

  private readonly onExecuted = (_: unknown, args: { cell: Cell }): void => {
    this.nRuns += 1;
    this.runs.set(args.cell.model, this.nRuns);
    this.onChanged();
  };

  private readonly throttler: Throttler<void>;
  private readonly runs = new WeakMap<ICellModel, number>();
  private nRuns = 0;
  private followedPanel: NotebookPanel | null = null;
  private followedCell: Cell | null = null;
  private readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;

  constructor(
    private readonly tracker: INotebookTracker | null,
    shell: JupyterFrontEnd.IShell | LabShell
  ) {
    this.throttler = new Throttler(() => {
      if (!this.isDisposed) {
        this._changed.emit();
      }
    }, CHANGE_INTERVAL_MS);
    tracker?.currentChanged.connect(this.onChanged, this);
    tracker?.activeCellChanged.connect(this.onChanged, this);
    shell.currentChanged?.connect(this.onChanged, this);
    if ('layoutModified' in shell) {
      shell.layoutModified.connect(this.onChanged, this);
    }
    NotebookActions.executed.connect(this.onExecuted, this);
    this.follow();
  }

  /** Something about the notebook, its cells, its kernel or its visibility may have changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The notebook that was used last, if it is on the screen, else one that is. */
  get panel(): NotebookPanel | null {
    const current = this.tracker?.currentWidget ?? null;
    if (current !== null && isShown(current)) {
      return current;
    }
    return this.tracker?.find(isShown) ?? null;
  }

  get activeCell(): Cell | null {
    return this.panel?.content.activeCell ?? null;
  }

  get kernel(): Kernel.IKernelConnection | null {
    return this.panel?.sessionContext.session?.kernel ?? null;
  }

  /** What decides about a code block's buttons. */
  get facts(): NotebookFacts {
    const panel = this.panel;
    const cell = panel?.content.activeCell ?? null;
    return {
      isOpen: (this.tracker?.size ?? 0) > 0,
      isVisible: panel !== null,
      isReadOnly:
        panel !== null &&
        (panel.context.model.readOnly || panel.context.contentsModel?.writable === false),
      hasActiveCell: cell !== null,
      isEditable: cell?.model.getMetadata('editable') !== false,
      isDeletable: cell?.model.getMetadata('deletable') !== false,
      kernel: panel === null ? 'none' : kernelState(panel),
      kernelLanguage: panel === null ? '' : notebookLanguage(panel)
    };
  }

  /** When a cell was run in this page, as a growing number; 0 if it was not. */
  runOrder(cell: ICellModel): number {
    return this.runs.get(cell) ?? 0;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.throttler.dispose();
    Signal.clearData(this);
  }

  /** Listen to the panel and the cell that are shown now, and no longer to the ones before. */
  private follow(): void {
    const panel = this.panel;
    if (panel !== this.followedPanel) {
      if (this.followedPanel !== null) {
        this.unfollowPanel(this.followedPanel);
      }
      this.followedPanel = panel;
      if (panel !== null) {
        panel.sessionContext.statusChanged.connect(this.onChanged, this);
        panel.sessionContext.kernelChanged.connect(this.onChanged, this);
        panel.content.activeCellChanged.connect(this.onChanged, this);
        panel.content.modelContentChanged.connect(this.onChanged, this);
        panel.context.model.stateChanged.connect(this.onChanged, this);
        panel.context.fileChanged.connect(this.onChanged, this);
        panel.context.pathChanged.connect(this.onChanged, this);
        panel.disposed.connect(this.onChanged, this);
      }
    }
    const cell = panel?.content.activeCell ?? null;
    if (cell !== this.followedCell) {
      this.followedCell?.model.selections.changed.disconnect(this.onChanged, this);
      this.followedCell?.model.metadataChanged.disconnect(this.onChanged, this);
      this.followedCell = cell;
      cell?.model.selections.changed.connect(this.onChanged, this);
      cell?.model.metadataChanged.connect(this.onChanged, this);
    }
  }

  private unfollowPanel(panel: NotebookPanel): void {
    panel.sessionContext.statusChanged.disconnect(this.onChanged, this);
    panel.sessionContext.kernelChanged.disconnect(this.onChanged, this);
    panel.disposed.disconnect(this.onChanged, this);
    if (!panel.isDisposed) {
      panel.content.activeCellChanged.disconnect(this.onChanged, this);
      panel.content.modelContentChanged.disconnect(this.onChanged, this);
      panel.context.model.stateChanged.disconnect(this.onChanged, this);
      panel.context.fileChanged.disconnect(this.onChanged, this);
      panel.context.pathChanged.disconnect(this.onChanged, this);
    }
  }
}
