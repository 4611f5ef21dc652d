/**
 * Cells dragged from a notebook and files dragged from the file browser.
 *
 * Reads what Lab's drags carry. Nothing is fetched here.
 */

import { Cell } from '@jupyterlab/cells';
import { Notebook } from '@jupyterlab/notebook';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { MimeData } from '@lumino/coreutils';

import type { ContextItem } from '../chat_protocol.js';
import { contextItem } from './context_items.js';
import type { NotebookReader } from './notebook_reader.js';
import { readMultiline } from './output_text.js';

const CELLS = 'application/vnd.jupyter.cells';
/** The cells' widgets, where the drag begins in this page. */
const CELL_WIDGETS = 'internal:cells';
const FILES = 'application/x-jupyter-icontents';

/** Whether there is something in this drag that can be attached. */
export function canReadDrop(data: MimeData): boolean {
  return data.hasData(CELLS) || data.hasData(FILES);
}

/** The server paths of dragged files. */
export function readDroppedPaths(data: MimeData): readonly string[] {
  const paths: unknown = data.getData(FILES);
  return Array.isArray(paths) ? paths.filter((path): path is string => typeof path === 'string') : [];
}

function widgetsOf(data: MimeData): readonly Cell[] {
  const widgets: unknown = data.getData(CELL_WIDGETS);
  return Array.isArray(widgets)
    ? widgets.filter((widget): widget is Cell => widget instanceof Cell && !widget.isDisposed)
    : [];
}

/** A cell of which only its JSON is known. */
function readCellJSON(value: unknown, index: number): ContextItem | null {
  if (typeof value !== 'object' || value === null || !('source' in value)) {
    return null;
  }
  const isMarkdown = 'cell_type' in value && value.cell_type === 'markdown';
  return contextItem({
    kind: 'cell',
    label: `@cell (${index + 1})`,
    text: readMultiline(value.source),
    source: '',
    language: isMarkdown ? 'markdown' : ''
  });
}

/** The sources of dragged cells. */
export function readDroppedCells(data: MimeData, reader: NotebookReader): ContextItem[] {
  if (!data.hasData(CELLS)) {
    return [];
  }
  const items: ContextItem[] = [];
  for (const cell of widgetsOf(data)) {
    const notebook = cell.parent;
    const panel = notebook instanceof Notebook ? notebook.parent : null;
    if (panel !== null) {
      items.push(reader.cellItem(panel as NotebookPanel, cell));
    }
  }
  if (items.length > 0) {
    return items.filter(item => item.text.trim() !== '');
  }
  const cells: unknown = data.getData(CELLS);
  return (Array.isArray(cells) ? cells : [])
    .map(readCellJSON)
    .filter((item): item is ContextItem => item !== null && item.text.trim() !== '');
}
