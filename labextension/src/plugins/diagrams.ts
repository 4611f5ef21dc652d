/**
 * Diagrams in outputs of notebooks, and the token through which the chat shows them.
 *
 * At Lab's start only the factories are there; `diagrams/` is loaded with the first diagram.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { DiagramKit, OutputDiagram } from '../diagrams/kit';
import { DIAGRAM_MIME, GRAPHVIZ_MIME, readKept } from '../diagrams/nouns';
import { IDiagrams } from '../diagrams/tokens';
import { Api } from '../service/api';
import { sendTo } from '../service/jupyter_server';
import { PluginIds } from '../tokens';

/** Before SVG and PNG (80 and 90), which stand beside a diagram's source. */
const RANK = 40;

function textIn(data: IRenderMime.IMimeModel['data'], mimeType: string): string {
  const value = data[mimeType];
  return typeof value === 'string' ? value : '';
}

/** What an output has of a diagram; `null` where its author wrote something else there. */
function readOutput(mimeType: string, model: IRenderMime.IMimeModel): OutputDiagram | null {
  const { data } = model;
  if (mimeType === GRAPHVIZ_MIME) {
    const source = textIn(data, GRAPHVIZ_MIME);
    return { kind: 'dot', source, theme: null, picture: null };
  }
  const kept = readKept(data[DIAGRAM_MIME]);
  if (kept === null) {
    return null;
  }
  const [svg, png] = [textIn(data, 'image/svg+xml'), textIn(data, 'image/png')];
  const picture = svg === '' && png === '' ? null : { svg, png, alt: kept.alt };
  return { ...kept, picture };
}

/** One output; it holds pictures and text, never markup of the notebook. */
class DiagramOutput extends Widget implements IRenderMime.IRenderer {
  constructor(
    private readonly _diagrams: IDiagrams,
    private readonly _mimeType: string
  ) {
    super();
    this.addClass('jp-LocalLLMDiagramOutput');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const diagram = readOutput(this._mimeType, model);
    // As text until the rest is there, and where it cannot be loaded.
    const source = diagram?.source ?? textIn(model.data, 'text/plain');
    if (diagram === null || this._kit === null) {
      const text = document.createElement('pre');
      text.textContent = source;
      this.node.replaceChildren(text);
    }
    if (diagram !== null) {
      this._kit = await this._diagrams.load().catch(() => null);
      this._kit?.showOutput(this.node, diagram);
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._kit?.update(this.node);
  }

  private _kit: DiagramKit | null = null;
}

/** Adds the factories. */
export const diagramsPlugin: JupyterFrontEndPlugin<IDiagrams> = {
  id: PluginIds.diagrams,
  description: 'Shows Mermaid and Graphviz diagrams that were drawn by the server.',
  autoStart: true,
  provides: IDiagrams,
  optional: [IRenderMimeRegistry, INotebookTracker, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry | null,
    notebooks: INotebookTracker | null,
    translator: ITranslator | null
  ): IDiagrams => {
    const language = translator ?? nullTranslator;
    let kit: Promise<DiagramKit> | null = null;
    const load = async (): Promise<DiagramKit> => {
      const { openDiagrams } = await import(
        /* webpackChunkName: "diagrams" */ '../diagrams/open'
      );
      const trans = language.load('jupyter_localllm');
      const api = new Api(sendTo(app.serviceManager.serverSettings), trans);
      return openDiagrams({ app, api, notebooks, translator: language });
    };
    const diagrams: IDiagrams = {
      load: () => {
        kit ??= load().catch((error: unknown) => {
          kit = null;
          throw error;
        });
        return kit;
      }
    };
    rendermime?.addFactory(
      {
        safe: true,
        mimeTypes: [DIAGRAM_MIME, GRAPHVIZ_MIME],
        createRenderer: ({ mimeType }) => new DiagramOutput(diagrams, mimeType)
      },
      RANK
    );
    return diagrams;
  }
};
