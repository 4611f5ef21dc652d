/**
 * The entry that JupyterLab loads: the list of plugins, nothing else.
 */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import type { IDiagrams } from './diagrams/tokens';
import { chatPlugin } from './plugins/chat';
import { diagramsPlugin } from './plugins/diagrams';
import { executedCodePlugin } from './plugins/executed_code';
import { statusPlugin } from './plugins/status';

const plugins: (JupyterFrontEndPlugin<void> | JupyterFrontEndPlugin<IDiagrams>)[] = [
  diagramsPlugin,
  chatPlugin,
  executedCodePlugin,
  statusPlugin
];

export default plugins;
