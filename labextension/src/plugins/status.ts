/**
 * The command that shows which models there are and how they do.
 *
 * Text from the server goes into the page as text, never as markup.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, showDialog } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { Api, ApiError } from '../service/api';
import { sendTo } from '../service/jupyter_server';
import { fetchStatus } from '../service/status';
import { describeModel, describeSummary } from '../service/status_text';
import { CommandIds, PluginIds } from '../tokens';

function element(tag: string, className: string, text = ''): HTMLElement {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function paragraphs(lines: readonly string[], className: string): HTMLElement[] {
  return lines.map(line => element('p', className, line));
}

/** What the dialog shows. */
interface StatusView {
  readonly title: string;
  readonly nodes: readonly HTMLElement[];
}

async function loadView(app: JupyterFrontEnd, trans: TranslationBundle): Promise<StatusView> {
  try {
    const api = new Api(sendTo(app.serviceManager.serverSettings), trans);
    const status = await fetchStatus(api, trans);
    const list = element('ul', 'jp-LocalLLMStatus-models');
    for (const model of status.models) {
      const { title, state, notes } = describeModel(model, trans);
      const item = element('li', 'jp-LocalLLMStatus-model');
      item.dataset.modelId = model.id;
      item.dataset.state = model.state;
      item.append(
        element('strong', 'jp-LocalLLMStatus-title', title),
        ...paragraphs([state], 'jp-LocalLLMStatus-state'),
        ...paragraphs(notes, 'jp-LocalLLMStatus-note')
      );
      list.append(item);
    }
    const summary = paragraphs([describeSummary(status, trans)], 'jp-LocalLLMStatus-summary');
    return { title: trans.__('Local LLM'), nodes: [...summary, list] };
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    return {
      title: trans.__('Local LLM: no status'),
      nodes: [
        ...paragraphs([error.message], 'jp-LocalLLMStatus-error'),
        ...paragraphs(error.hint === '' ? [] : [error.hint], 'jp-LocalLLMStatus-hint')
      ]
    };
  }
}

/** Adds {@link CommandIds.showStatus} and, where there is a palette, its entry. */
export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: PluginIds.status,
  description: 'Shows which local models there are and whether they are loaded.',
  autoStart: true,
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_localllm');
    app.commands.addCommand(CommandIds.showStatus, {
      label: trans.__('Local LLM: Show Status'),
      caption: trans.__('Show which local models there are and whether they are loaded'),
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async () => {
        const { title, nodes } = await loadView(app, trans);
        const body = new Widget();
        body.addClass('jp-LocalLLMStatus');
        body.node.append(...nodes);
        await showDialog({ title, body, buttons: [Dialog.okButton()] });
      }
    });
    palette?.addItem({ command: CommandIds.showStatus, category: trans.__('Local LLM') });
  }
};
