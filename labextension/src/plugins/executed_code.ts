/** After each run of a cell: keeps the code that `%%llm -x` ran in the cell's metadata. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { CodeCellModel } from '@jupyterlab/cells';
import { NotebookActions } from '@jupyterlab/notebook';

import { keepExecutedCode } from '../notebook/executed_code';
import { PluginIds } from '../tokens';

/** Listens to the notebooks. */
export const executedCodePlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.executedCode,
  description: 'Keeps code that a model wrote and a cell ran in the metadata of that cell.',
  autoStart: true,
  activate: (): void => {
    NotebookActions.executed.connect((_, { cell }) => {
      if (!cell.isDisposed && cell.model instanceof CodeCellModel) {
        keepExecutedCode(cell.model);
      }
    });
  }
};
