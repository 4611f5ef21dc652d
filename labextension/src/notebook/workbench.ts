/**
 * Puts together what the chat's view needs from notebooks and commands.
 *
 * Wiring only. Called once, by `chat/open.ts`, when the chat is first opened.
 */

import type { JupyterFrontEnd, LabShell } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { ITranslator } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';

import { CommandLine } from '../chat/commands.js';
import type { IChatModel } from '../chat/state.js';
import type { IChatSettings, Workbench } from '../chat/workbench.js';
import { ActiveNotebook } from './active_notebook.js';
import { CodeActions } from './code_actions.js';
import { ContextSources } from './context_sources.js';
import type { FileReader } from './context_sources.js';
import { NameLists } from './name_lists.js';
import { NotebookReader } from './notebook_reader.js';
import { NotebookSuggestions } from './suggestions.js';
import { MAX_ITEM_CHARACTERS } from './text_bounds.js';

/** What a workbench is made of. */
export interface WorkbenchOptions {
  readonly app: JupyterFrontEnd<JupyterFrontEnd.IShell | LabShell>;
  readonly notebooks: INotebookTracker | null;
  readonly fileBrowser: IDefaultFileBrowser | null;
  readonly model: IChatModel;
  readonly settings: IChatSettings;
  /** `POST localllm/context/file`; rejects with an Error that has a sentence for the user. */
  readonly readFile: FileReader;
  readonly translator: ITranslator;
}

/** Where the context window is not known. */
const DEFAULT_BUDGET = 24_000;
const CHARACTERS_PER_TOKEN = 3;

/** How many characters of a long notebook, output or error are attached: half of the window. */
function textBudget(model: IChatModel): number {
  const { models, modelId } = model.state;
  const chosen = models.find(({ id, isDefault }) => (modelId === '' ? isDefault : id === modelId));
  const window = chosen?.contextWindow ?? null;
  return window === null
    ? DEFAULT_BUDGET
    : Math.min(Math.max((window / 2) * CHARACTERS_PER_TOKEN, 1_000), MAX_ITEM_CHARACTERS);
}

/**
 * Where a chat is saved: the folder that is shown, else that of the notebook.
 *
 * Jupyter Notebook makes a file browser for the page of a notebook, and never shows it.
 */
function exportFolder(fileBrowser: IDefaultFileBrowser | null, notebook: ActiveNotebook): string {
  return fileBrowser?.isAttached === true
    ? fileBrowser.model.path
    : PathExt.dirname(notebook.panel?.context.path ?? '');
}

/** Make the workbench of one chat panel; disposing of it lets go of notebooks and signals. */
export function createWorkbench(options: WorkbenchOptions): Workbench & IDisposable {
  const { app, model, settings, translator } = options;
  const trans = translator.load('jupyter_localllm');
  const { contents } = app.serviceManager;
  const notebook = new ActiveNotebook(options.notebooks, app.shell);
  const reader = new NotebookReader(
    notebook,
    () => app.shell.currentWidget,
    () => textBudget(model),
    trans
  );
  const { readFile } = options;
  const codeActions = new CodeActions(notebook, translator, trans);
  const contextSources = new ContextSources({ notebook, reader, contents, readFile, trans });
  const suggestions = new NotebookSuggestions(notebook, trans);
  const commandLine = new CommandLine({
    model,
    sources: contextSources,
    activeCell: reader,
    names: new NameLists(notebook, contextSources, contents, model, trans),
    exports: {
      store: contents,
      folder: () => exportFolder(options.fileBrowser, notebook),
      open: path => {
        void app.commands.execute('docmanager:open', { path });
      }
    },
    trans
  });
  return {
    codeActions,
    contextSources,
    commandLine,
    suggestions,
    settings,
    get isDisposed(): boolean {
      return notebook.isDisposed;
    },
    dispose: () => {
      codeActions.dispose();
      contextSources.dispose();
      suggestions.dispose();
      notebook.dispose();
    }
  };
}
