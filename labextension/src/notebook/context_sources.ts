/**
 * What can be attached to a question, and how each mention is read.
 *
 * Joins the notebook's reader, its kernel's variables, the server's files and what is dropped.
 * Nothing is sent from here; the model gets an attachment, and its chip shows it.
 */

import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import type { MimeData } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { mentionProblem } from '../chat/mention_problems.js';
import { formatMention, parseMention } from '../chat/mentions.js';
import type { Mention } from '../chat/mentions.js';
import type { ContextSource, IContextSources } from '../chat/workbench.js';
import type { ContextItem } from '../chat_protocol.js';
import type { Translator } from '../service/status_text.js';
import type { ActiveNotebook } from './active_notebook.js';
import { contextItem } from './context_items.js';
import { canReadDrop, readDroppedCells, readDroppedPaths } from './drops.js';
import { readVariable } from './kernel_variables.js';
import type { NotebookReader, Reading } from './notebook_reader.js';

/** Reads a file below the server's root: `POST localllm/context/file`. */
export type FileReader = (path: string) => Promise<ContextItem>;

/** What the sources are made of. */
export interface SourcesOptions {
  readonly notebook: ActiveNotebook;
  readonly reader: NotebookReader;
  readonly contents: Contents.IManager;
  readonly readFile: FileReader;
  readonly trans: Translator;
}

/** An attachment, or its reason thrown as an Error. */
function required(reading: Reading): ContextItem {
  if (typeof reading === 'string') {
    throw new Error(reading);
  }
  return reading;
}

function reasonOf(reading: Reading): string | null {
  return typeof reading === 'string' ? reading : null;
}

/** Implements the Attach menu, `@mentions` and drops. */
export class ContextSources implements IContextSources, IDisposable {
  private readonly onNotebookChanged = (): void => {
    this._changed.emit();
  };

  private readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;

  constructor(private readonly options: SourcesOptions) {
    options.notebook.changed.connect(this.onNotebookChanged, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  list(): readonly ContextSource[] {
    const { reader, trans } = this.options;
    const entry = (
      mention: string,
      caption: string,
      whyNot: string | null,
      needsName = false
    ): ContextSource => ({ mention, caption, whyNot, needsName });
    return [
      entry('@cell', trans.__('The active cell'), reasonOf(reader.readCell())),
      entry('@selection', trans.__('The selected text'), reasonOf(reader.readSelection())),
      entry('@error', trans.__('The last error'), reasonOf(reader.readError())),
      entry('@output', trans.__('The active cell’s output'), reasonOf(reader.readOutput())),
      entry('@notebook', trans.__('The notebook, cells numbered'), reader.whyNoNotebook()),
      entry('@var:', trans.__('A variable of the kernel'), this.whyNoKernel(), true),
      entry('@file:', trans.__('A file on the server'), null, true)
    ];
  }

  async resolve(text: string): Promise<ContextItem> {
    const { trans } = this.options;
    const mention = parseMention(text);
    if (mention === null) {
      throw new Error(trans.__('"%1" is not something that can be attached.', text));
    }
    const problem = mentionProblem(mention, trans);
    if (problem !== null) {
      throw new Error(problem);
    }
    return this.read(mention);
  }

  canDrop(data: MimeData): boolean {
    return canReadDrop(data);
  }

  async readDrop(data: MimeData): Promise<readonly ContextItem[]> {
    const items = readDroppedCells(data, this.options.reader);
    for (const path of readDroppedPaths(data)) {
      items.push(await this.readFile(path, path));
    }
    return items;
  }

  private async read(mention: Mention): Promise<ContextItem> {
    const { reader } = this.options;
    switch (mention.name) {
      case 'cell':
        return required(reader.readCell());
      case 'selection':
        return required(reader.readSelection());
      case 'error':
        return required(reader.readError());
      case 'output':
        return required(reader.readOutput());
      case 'notebook':
        return required(reader.readNotebook());
      case 'var':
        return this.readVariable(mention.argument);
      case 'file':
        return this.readFile(mention.argument, resolvePath(mention.argument, this.notebookPath));
    }
  }

  private whyNoKernel(): string | null {
    const { notebook, reader, trans } = this.options;
    const reason = reader.whyNoNotebook();
    if (reason !== null) {
      return reason;
    }
    return notebook.kernel === null ? trans.__('The notebook has no kernel.') : null;
  }

  private async readVariable(path: string): Promise<ContextItem> {
    const { notebook, trans } = this.options;
    const { kernel } = notebook;
    if (kernel === null) {
      throw new Error(this.whyNoKernel() ?? trans.__('The notebook has no kernel.'));
    }
    // Before the kernel answers, another notebook may be in front.
    const source = this.notebookPath;
    const { text, isTruncated } = await readVariable(kernel, path, trans);
    const label = formatMention('var', path);
    return contextItem({ kind: 'variable', label, text, source, isTruncated });
  }

  private async readFile(name: string, path: string): Promise<ContextItem> {
    const { contents, readFile, trans } = this.options;
    const drive = contents.driveName(path);
    if (drive !== '' && drive !== 'RTC') {
      throw new Error(trans.__('Only files of the Jupyter server can be attached, not %1.', name));
    }
    const item = await readFile(contents.localPath(path));
    return contextItem({ ...item, kind: 'file', label: formatMention('file', name) });
  }

  private get notebookPath(): string {
    return this.options.notebook.panel?.context.path ?? '';
  }
}

/** `./x` is beside the open notebook; every other path begins at the server's root. */
export function resolvePath(path: string, notebookPath: string): string {
  return /^\.{1,2}\//.test(path) ? PathExt.join(PathExt.dirname(notebookPath), path) : path;
}
