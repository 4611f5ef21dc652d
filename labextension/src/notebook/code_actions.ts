/**
 * Puts a code block into the visible notebook: above, below, in place of something, or run.
 *
 * The only place of the chat that writes to a notebook, and only when a button is clicked. Each
 * action changes the shared model in one transaction that is one step of undo by itself. Nothing
 * is ever saved here.
 */

import type { Cell, MarkdownCell } from '@jupyterlab/cells';
import type { CodeEditor } from '@jupyterlab/codeeditor';
import { NotebookActions } from '@jupyterlab/notebook';
import type { Notebook, NotebookPanel } from '@jupyterlab/notebook';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { CodeAction, ICodeActions } from '../chat/workbench.js';
import type { ActiveNotebook } from './active_notebook.js';
import { whyNotAction } from './code_refusals.js';
import { cellTypeOf } from './languages.js';

const FLASH_MS = 900;

/** The part of a shared model's undo manager that keeps steps apart. */
interface StepKeeper {
  stopCapturing(): void;
}

function stepKeeper(shared: object): StepKeeper | null {
  const keeper: unknown = 'undoManager' in shared ? shared.undoManager : null;
  return typeof keeper === 'object' && keeper !== null && 'stopCapturing' in keeper
    ? (keeper as StepKeeper)
    : null;
}

/** Make a change that is not joined with what was typed just before or is typed just after. */
function asOneStep(shared: object, change: () => void): void {
  const keeper = stepKeeper(shared);
  keeper?.stopCapturing();
  change();
  keeper?.stopCapturing();
}

/** Show where something was put; a still picture where people asked for less motion. */
function flash(cell: Cell): void {
  const isCalm = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  if (isCalm) {
    return;
  }
  cell.node.animate(
    [{ backgroundColor: 'var(--jp-brand-color3)' }, { backgroundColor: 'transparent' }],
    { duration: FLASH_MS, easing: 'ease-out' }
  );
}

/** Make a cell the active one and bring it into view, without taking the focus. */
function show(notebook: Notebook, index: number): void {
  if (notebook.mode === 'edit') {
    notebook.mode = 'command';
  }
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  const cell = notebook.widgets[index];
  // A cell that is disposed of while the page scrolls there need not be shown.
  notebook.scrollToItem(index, 'smart').then(
    () => {
      if (cell !== undefined && !cell.isDisposed) {
        flash(cell);
      }
    },
    () => undefined
  );
}

function isRendered(cell: Cell): boolean {
  return cell.model.type === 'markdown' && (cell as MarkdownCell).rendered;
}

/** The selection in a cell's editor as offsets; `null` where nothing is selected. */
export function selectedRange(cell: Cell): { start: number; end: number } | null {
  const editor: CodeEditor.IEditor | null = cell.editor;
  if (editor === null || isRendered(cell)) {
    return null;
  }
  const { start, end } = editor.getSelection();
  const offsets = [editor.getOffsetAt(start), editor.getOffsetAt(end)];
  const range = { start: Math.min(...offsets), end: Math.max(...offsets) };
  return range.start === range.end ? null : range;
}

/** Implements the buttons of code blocks on Lab's notebooks. */
export class CodeActions implements ICodeActions, IDisposable {
  private readonly onNotebookChanged = (): void => {
    const facts = JSON.stringify(this.notebook.facts);
    if (facts !== this.lastFacts) {
      this.lastFacts = facts;
      this._changed.emit();
    }
  };

  private lastFacts: string;
  private readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;

  constructor(
    private readonly notebook: ActiveNotebook,
    private readonly translator: ITranslator,
    private readonly trans: TranslationBundle
  ) {
    this.lastFacts = JSON.stringify(notebook.facts);
    notebook.changed.connect(this.onNotebookChanged, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Why an action is not possible; `language` is that of the block, where it is known. */
  whyNot(action: CodeAction, language = ''): string | null {
    return whyNotAction(action, language, this.notebook.facts, this.trans);
  }

  async perform(action: CodeAction, code: string, language: string): Promise<void> {
    const reason = this.whyNot(action, language);
    const panel = this.notebook.panel;
    if (reason !== null || panel === null) {
      throw new Error(reason ?? this.trans.__('No notebook is open.'));
    }
    const source = code.replace(/\n+$/, '');
    switch (action) {
      case 'insert-above':
        this.insert(panel, source, language, 0);
        break;
      case 'insert-below':
        this.insert(panel, source, language, 1);
        break;
      case 'replace':
        this.replace(panel, source, language);
        break;
      case 'run':
        this.insert(panel, source, language, 1);
        this.run(panel);
        break;
    }
    await Promise.resolve();
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private insert(panel: NotebookPanel, source: string, language: string, offset: 0 | 1): void {
    const notebook = panel.content;
    const shared = notebook.model?.sharedModel;
    if (shared === undefined) {
      throw new Error(this.trans.__('The notebook is still being opened. Try again in a moment.'));
    }
    const index = notebook.activeCell === null ? 0 : notebook.activeCellIndex + offset;
    const type = cellTypeOf(language);
    asOneStep(shared, () => {
      // As Lab's own Insert does: a cell without outputs that a person put there.
      const metadata = type === 'code' ? { trusted: true } : {};
      shared.insertCell(index, { cell_type: type, source, metadata });
    });
    show(notebook, index);
  }

  private replace(panel: NotebookPanel, source: string, language: string): void {
    const notebook = panel.content;
    const cell = notebook.activeCell;
    if (cell === null) {
      throw new Error(this.trans.__('No cell is active. Select the cell to replace first.'));
    }
    const range = selectedRange(cell);
    const shared = cell.model.sharedModel;
    if (range !== null) {
      asOneStep(shared, () => {
        shared.updateSource(range.start, range.end, source);
      });
      const editor = cell.editor;
      const start = editor?.getPositionAt(range.start);
      const end = editor?.getPositionAt(range.start + source.length);
      if (start !== undefined && end !== undefined) {
        editor?.setSelection({ start, end });
      }
      return;
    }
    const type = cellTypeOf(language);
    if (cell.model.type === type || cell.model.type === 'raw') {
      asOneStep(shared, () => {
        shared.setSource(source);
      });
      show(notebook, notebook.activeCellIndex);
    } else {
      this.replaceByOtherType(notebook, cell, type, source);
    }
  }

  /** A cell's type is fixed, so the cell is exchanged, as Lab does when its type is changed. */
  private replaceByOtherType(
    notebook: Notebook,
    cell: Cell,
    type: 'code' | 'markdown',
    source: string
  ): void {
    const shared = notebook.model?.sharedModel;
    const isRunning = 'executionState' in cell.model && cell.model.executionState === 'running';
    if (shared === undefined || isRunning) {
      throw new Error(this.trans.__('The active cell is still running. Wait, or interrupt it first.'));
    }
    const index = notebook.activeCellIndex;
    const metadata = { ...cell.model.sharedModel.getMetadata() };
    // Only code cells have outputs to trust; this one has none.
    if (type === 'code') {
      metadata.trusted = true;
    } else {
      delete metadata.trusted;
    }
    asOneStep(shared, () => {
      shared.transact(() => {
        shared.deleteCell(index);
        shared.insertCell(index, { id: cell.model.id, cell_type: type, source, metadata });
      });
    });
    show(notebook, index);
  }

  private run(panel: NotebookPanel): void {
    // What goes wrong while a cell runs is told in its output.
    NotebookActions.run(panel.content, panel.sessionContext, undefined, this.translator).catch(
      () => undefined
    );
  }
}
