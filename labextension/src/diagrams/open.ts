/**
 * Puts together what shows diagrams; loaded with the first one, by `plugins/diagrams.ts`.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { ITranslator } from '@jupyterlab/translation';

import '../../style/diagrams.css';

import { ActiveNotebook } from '../notebook/active_notebook';
import { CodeActions } from '../notebook/code_actions';
import type { Api } from '../service/api';
import { Drawings } from './drawings';
import { DiagramEndpoint } from './endpoint';
import { DiagramKit } from './kit';
import { PageTheme } from './page_theme';
import { Repairs } from './repairs';

export interface OpenDiagramsOptions {
  readonly app: JupyterFrontEnd;
  readonly api: Api;
  readonly notebooks: INotebookTracker | null;
  readonly translator: ITranslator;
}

/** Make the page's kit; it lives as long as the page. */
export function openDiagrams(options: OpenDiagramsOptions): DiagramKit {
  const { app, api, notebooks, translator } = options;
  const trans = translator.load('jupyter_localllm');
  const endpoint = new DiagramEndpoint(api);
  return new DiagramKit({
    drawings: new Drawings(endpoint),
    repairs: new Repairs(endpoint),
    theme: new PageTheme(),
    codeActions: new CodeActions(new ActiveNotebook(notebooks, app.shell), translator, trans),
    trans
  });
}
