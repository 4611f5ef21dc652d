/**
 * Opens the chat: makes its model, its workbench and its view, and joins them.
 *
 * Everything that is not needed before the panel is first shown is loaded with this module, by the
 * one dynamic import of `plugins/chat.ts`.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { InputDialog } from '@jupyterlab/apputils';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { RenderMimeRegistry, standardRendererFactories } from '@jupyterlab/rendermime';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { ITranslator } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import type { Widget } from '@lumino/widgets';

import type { IDiagrams } from '../diagrams/tokens';
import { createWorkbench } from '../notebook/workbench';
import { LabChatSettings } from '../service/settings';
import type { Api } from '../service/api';
import { Chats } from '../service/chats';
import { ChatConnection } from '../service/connection';
import { browserPorts } from '../service/connection_ports';
import { openChatSocket } from '../service/jupyter_server';
import type { IModelStatus } from '../service/model_status';
import { fetchStatus } from '../service/status';
import { ChatModel } from './model';
import { PageMemory } from './model_memory';
import { createChatView } from './view';
import type { Workbench } from './workbench';

export interface OpenChatOptions {
  readonly app: JupyterFrontEnd;
  readonly api: Api;
  readonly modelStatus: IModelStatus;
  readonly notebooks: INotebookTracker | null;
  readonly fileBrowser: IDefaultFileBrowser | null;
  readonly rendermime: IRenderMimeRegistry | null;
  readonly settingRegistry: ISettingRegistry | null;
  readonly diagrams: IDiagrams | null;
  readonly translator: ITranslator;
}

/** The chat, open. */
export interface OpenedChat extends IDisposable {
  readonly model: ChatModel;
  readonly workbench: Workbench;
  readonly view: Widget;
  /** Let the user choose a model from a list. */
  chooseModel(): Promise<void>;
}

/** The browser's storage; `null` where it is forbidden to the page. */
function storage(kind: 'localStorage' | 'sessionStorage'): Storage | null {
  try {
    return window[kind];
  } catch {
    return null;
  }
}

async function chooseModel(model: ChatModel, translator: ITranslator): Promise<void> {
  const trans = translator.load('jupyter_localllm');
  const { models, modelId } = model.state;
  const ids = models.filter(({ canChat }) => canChat).map(({ id }) => id);
  if (ids.length === 0) {
    model.notify({
      severity: 'warning',
      message: trans.__('No model was found.'),
      hint: trans.__('The command “Local LLM: Show Status” says where models are looked for.')
    });
    return;
  }
  const current = modelId === '' ? models.findIndex(({ isDefault }) => isDefault) : ids.indexOf(modelId);
  const { button, value } = await InputDialog.getItem({
    title: trans.__('Model for the next question'),
    items: ids,
    current: Math.max(0, current)
  });
  if (button.accept && value !== null) {
    model.chooseModel(value);
  }
}

/** Make the chat; the caller owns what is returned. */
export async function openChat(options: OpenChatOptions): Promise<OpenedChat> {
  const { app, api, modelStatus, translator } = options;
  const trans = translator.load('jupyter_localllm');
  const { serverSettings } = app.serviceManager;
  const settings = await LabChatSettings.load(options.settingRegistry);
  const chats = new Chats(api);
  const connection = new ChatConnection(
    browserPorts(
      () => openChatSocket(serverSettings),
      () => fetchStatus(api, trans)
    ),
    trans
  );
  const memory = new PageMemory(
    storage('sessionStorage'),
    storage('localStorage'),
    serverSettings.baseUrl
  );
  const model = new ChatModel({ connection, chats, modelStatus, settings, memory, trans });
  const workbench = createWorkbench({
    app,
    notebooks: options.notebooks,
    fileBrowser: options.fileBrowser,
    model,
    settings,
    readFile: path => chats.readFile(path),
    translator
  });
  const rendermime =
    options.rendermime ?? new RenderMimeRegistry({ initialFactories: standardRendererFactories });
  const { diagrams } = options;
  const view = createChatView({ model, workbench, rendermime, diagrams, translator });
  const onPageHide = (): void => {
    memory.flush();
  };
  window.addEventListener('pagehide', onPageHide);
  void model.restore();
  return {
    model,
    workbench,
    view,
    chooseModel: () => chooseModel(model, translator),
    get isDisposed() {
      return model.isDisposed;
    },
    dispose: () => {
      window.removeEventListener('pagehide', onPageHide);
      view.dispose();
      workbench.dispose();
      model.dispose();
      connection.dispose();
      settings.dispose();
    }
  };
}
