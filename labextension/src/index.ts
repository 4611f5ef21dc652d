/**
 * The entry that JupyterLab loads: the list of plugins, nothing else.
 */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { chatPlugin } from './plugins/chat';
import { statusPlugin } from './plugins/status';

const plugins: JupyterFrontEndPlugin<void>[] = [chatPlugin, statusPlugin];

export default plugins;
