/**
 * Reads attachments from the visible notebook: cell, selection, error, output, the whole.
 *
 * Reads only. Each function gives an attachment or, as a text, why there is none.
 */

import { isCodeCellModel } from '@jupyterlab/cells';
import type { Cell, ICellModel } from '@jupyterlab/cells';
import type { CodeEditor } from '@jupyterlab/codeeditor';
import type { NotebookPanel } from '@jupyterlab/notebook';

import type { ContextItem } from '../chat_protocol.js';
import type { Translator } from '../service/status_text.js';
import { notebookLanguage } from './active_notebook.js';
import type { ActiveNotebook } from './active_notebook.js';
import { selectedRange } from './code_actions.js';
import { contextItem } from './context_items.js';
import { normaliseLanguage } from './languages.js';
import { cellNumber, describeNotebook } from './notebook_text.js';
import type { CellText } from './notebook_text.js';
import { describeError, describeOutputs, lastError } from './output_text.js';

/** An attachment, or why there is none in one sentence. */
export type Reading = ContextItem | string;

/** A document with one editor, such as Lab's file editor; known by its shape. */
interface EditorDocument {
  readonly content: { readonly editor: CodeEditor.IEditor };
  readonly context: { readonly path: string };
}

function isEditorDocument(widget: unknown): widget is EditorDocument {
  const document = widget as Partial<EditorDocument> | null;
  return (
    typeof document?.context?.path === 'string' &&
    typeof document.content?.editor === 'object' &&
    typeof document.content.editor.getSelection === 'function'
  );
}

/** The outputs of a cell as its notebook file would have them. */
export function outputsOf(cell: ICellModel): readonly unknown[] {
  return isCodeCellModel(cell) ? cell.outputs.toJSON() : [];
}

function hasError(cell: ICellModel): boolean {
  if (!isCodeCellModel(cell)) {
    return false;
  }
  for (let index = 0; index < cell.outputs.length; index++) {
    if (cell.outputs.get(index).type === 'error') {
      return true;
    }
  }
  return false;
}

function cellText(cell: ICellModel): CellText {
  return {
    type: cell.type,
    source: cell.sharedModel.getSource(),
    executionCount: isCodeCellModel(cell) ? cell.executionCount : null,
    outputs: outputsOf(cell)
  };
}

/** A cell with an error; `order` is when it was run, and its execution count. */
interface LatestError {
  readonly cell: ICellModel;
  readonly index: number;
  readonly order: readonly [number, number];
}

/** Reads the visible notebook, and a file editor for its selection. */
export class NotebookReader {
  /**
   * @param currentWidget - What is in front in Lab's main area.
   * @param budget - How many characters a long notebook, output or error may have.
   */
  constructor(
    private readonly notebook: ActiveNotebook,
    private readonly currentWidget: () => unknown,
    private readonly budget: () => number,
    private readonly trans: Translator
  ) {}

  /** Why nothing can be read from a notebook; `null` if it can. */
  whyNoNotebook(): string | null {
    const { isOpen, isVisible } = this.notebook.facts;
    if (!isOpen) {
      return this.trans.__('No notebook is open.');
    }
    return isVisible
      ? null
      : this.trans.__('No notebook is visible. Bring its tab to the front.');
  }

  /** A cell's source as an attachment. */
  cellItem(panel: NotebookPanel, cell: Cell): ContextItem {
    const index = panel.content.widgets.indexOf(cell);
    return contextItem({
      kind: 'cell',
      label: `@cell ${cellNumber(index)}`,
      text: cell.model.sharedModel.getSource(),
      source: panel.context.path,
      language: this.languageOf(panel, cell.model)
    });
  }

  readCell(): Reading {
    const place = this.activeCell();
    if (typeof place === 'string') {
      return place;
    }
    return place.cell.model.sharedModel.getSource().trim() === ''
      ? this.trans.__('The active cell is empty.')
      : this.cellItem(place.panel, place.cell);
  }

  readSelection(): Reading {
    const widget = this.currentWidget();
    if (isEditorDocument(widget)) {
      return this.readEditorSelection(widget);
    }
    const place = this.activeCell();
    if (typeof place === 'string') {
      return place;
    }
    const { panel, cell } = place;
    const range = selectedRange(cell);
    if (range === null) {
      return this.trans.__('Nothing is selected in the active cell.');
    }
    return contextItem({
      kind: 'selection',
      label: `@selection ${cellNumber(panel.content.activeCellIndex)}`,
      text: cell.model.sharedModel.getSource().slice(range.start, range.end),
      source: panel.context.path,
      language: this.languageOf(panel, cell.model)
    });
  }

  /** The last error of the active cell only. */
  readActiveError(): Reading {
    const place = this.activeCell();
    if (typeof place === 'string') {
      return place;
    }
    const { panel, cell } = place;
    return this.errorItem(panel, cell.model, panel.content.activeCellIndex);
  }

  /** The last error of the active cell, else of the cell that was run last among those with one. */
  readError(): Reading {
    const none = this.trans.__('No cell of the notebook shows an error.');
    const panel = this.notebook.panel;
    const cells = panel?.content.model?.cells;
    if (panel === null || cells === undefined) {
      return this.whyNoNotebook() ?? none;
    }
    const active = panel.content.activeCell?.model;
    if (active !== undefined && hasError(active)) {
      return this.errorItem(panel, active, panel.content.activeCellIndex);
    }
    let latest: LatestError | null = null;
    for (let index = 0; index < cells.length; index++) {
      const cell = cells.get(index);
      if (!isCodeCellModel(cell) || !hasError(cell)) {
        continue;
      }
      const order = [this.notebook.runOrder(cell), cell.executionCount ?? 0] as const;
      const [run, count] = latest?.order ?? [-1, -1];
      if (order[0] > run || (order[0] === run && order[1] > count)) {
        latest = { cell, index, order };
      }
    }
    return latest === null ? none : this.errorItem(panel, latest.cell, latest.index);
  }

  readOutput(): Reading {
    const place = this.activeCell();
    if (typeof place === 'string') {
      return place;
    }
    const { panel, cell } = place;
    const { text, isTruncated } = describeOutputs(outputsOf(cell.model), this.budget());
    if (text === '') {
      return this.trans.__('The active cell has no output.');
    }
    return contextItem({
      kind: 'output',
      label: `@output ${cellNumber(panel.content.activeCellIndex)}`,
      text,
      source: panel.context.path,
      isTruncated
    });
  }

  readNotebook(): Reading {
    const panel = this.notebook.panel;
    const cells = panel?.content.model?.cells;
    const empty = this.trans.__('The notebook is empty.');
    if (panel === null || cells === undefined) {
      return this.whyNoNotebook() ?? empty;
    }
    const texts = Array.from(cells, cellText);
    if (texts.every(cell => cell.source.trim() === '')) {
      return empty;
    }
    const active = panel.content.activeCellIndex;
    const { text, isTruncated } = describeNotebook(texts, active, this.budget());
    return contextItem({
      kind: 'notebook',
      label: '@notebook',
      text,
      source: panel.context.path,
      language: normaliseLanguage(notebookLanguage(panel)),
      isTruncated
    });
  }

  private activeCell(): { panel: NotebookPanel; cell: Cell } | string {
    const panel = this.notebook.panel;
    const cell = panel?.content.activeCell ?? null;
    return panel === null || cell === null
      ? (this.whyNoNotebook() ?? this.trans.__('No cell is active. Select one in the notebook.'))
      : { panel, cell };
  }

  private errorItem(panel: NotebookPanel, cell: ICellModel, index: number): Reading {
    const error = lastError(outputsOf(cell));
    if (error === null) {
      return this.trans.__('The active cell shows no error.');
    }
    const { text, isTruncated } = describeError(error, this.budget());
    const label = `@error ${cellNumber(index)}`;
    return contextItem({ kind: 'error', label, text, source: panel.context.path, isTruncated });
  }

  private readEditorSelection({ content, context }: EditorDocument): Reading {
    const { editor } = content;
    const { start, end } = editor.getSelection();
    const offsets = [editor.getOffsetAt(start), editor.getOffsetAt(end)];
    const source = editor.model.sharedModel.getSource();
    const text = source.slice(Math.min(...offsets), Math.max(...offsets));
    if (text === '') {
      return this.trans.__('Nothing is selected in %1.', context.path);
    }
    const language = normaliseLanguage(editor.model.mimeType.replace(/^.*\/(?:x-)?/, ''));
    return contextItem({ kind: 'selection', label: '@selection', text, source: context.path, language });
  }

  private languageOf(panel: NotebookPanel, cell: ICellModel): string {
    switch (cell.type) {
      case 'code':
        return normaliseLanguage(notebookLanguage(panel));
      case 'markdown':
        return 'markdown';
      default:
        return '';
    }
  }
}
