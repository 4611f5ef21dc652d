/**
 * The chat in the right sidebar: a stub at Lab's start, the chat itself when it is first shown.
 *
 * Nothing of `chat/` may be imported here but by the one dynamic import, and types.
 */

import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import type { OpenedChat } from '../chat/open';
import { IDiagrams } from '../diagrams/tokens';
import { Api } from '../service/api';
import { sendTo } from '../service/jupyter_server';
import { ModelStatus } from '../service/model_status';
import { fetchStatus } from '../service/status';
import { CHAT_PANEL_ID, CommandIds, PluginIds } from '../tokens';
import { addChatCommands } from './chat_commands';
import { ChatPanel } from './chat_panel';
import { ModelStatusItem } from './status_item';

/** Behind what Lab itself puts there. */
const RANK = 900;

/** Adds the panel, its commands and the item in the status bar. */
export const chatPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.chat,
  description: 'A chat with a local model in the right sidebar.',
  autoStart: true,
  optional: [
    ICommandPalette,
    ITranslator,
    ILayoutRestorer,
    ISettingRegistry,
    IRenderMimeRegistry,
    INotebookTracker,
    IDefaultFileBrowser,
    IStatusBar,
    IDiagrams
  ],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    settingRegistry: ISettingRegistry | null,
    rendermime: IRenderMimeRegistry | null,
    notebooks: INotebookTracker | null,
    fileBrowser: IDefaultFileBrowser | null,
    statusBar: IStatusBar | null,
    diagrams: IDiagrams | null
  ): void => {
    const language = translator ?? nullTranslator;
    const trans = language.load('jupyter_localllm');
    const api = new Api(sendTo(app.serviceManager.serverSettings), trans);
    const modelStatus = new ModelStatus(signal => fetchStatus(api, trans, signal));
    const load = async (): Promise<OpenedChat> => {
      const { openChat } = await import(/* webpackChunkName: "chat" */ '../chat/open');
      modelStatus.start();
      return openChat({
        app,
        api,
        modelStatus,
        notebooks,
        fileBrowser,
        rendermime,
        settingRegistry,
        diagrams,
        translator: language
      });
    };
    const panel = new ChatPanel(load, trans);
    app.shell.add(panel, 'right', { rank: RANK, type: 'Chat' });
    restorer?.add(panel, CHAT_PANEL_ID);
    addChatCommands({ app, panel, notebooks, palette, trans });
    if (statusBar !== null) {
      const item = new ModelStatusItem(modelStatus, trans, () => {
        void app.commands.execute(CommandIds.openChat);
      });
      statusBar.registerStatusItem(PluginIds.chat, { item, align: 'right', rank: 95 });
      // Lab's own start comes first.
      void app.restored.then(() => {
        modelStatus.start();
      });
    }
  }
};
