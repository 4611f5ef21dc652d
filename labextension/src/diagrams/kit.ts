/**
 * Shows diagrams in blocks of code and in outputs; one for a page.
 *
 * Keeps the drawings of the page and tells the diagrams on it when its colours change. Made by
 * `open.ts`.
 */

import type { IDisposable } from '@lumino/disposable';

import { Near } from './near';
import type { DiagramKind, KeptDiagram } from './nouns';
import type { KeptPicture } from './pictures';
import type { DiagramServices, RepairPolicy } from './subject';
import { DiagramView } from './view';

/** A diagram in a chat. */
export interface DiagramBlock {
  readonly block: HTMLElement;
  /** In the block; gets the buttons. */
  readonly head: HTMLElement;
  readonly source: string;
  readonly kind: DiagramKind;
  readonly repair: RepairPolicy;
}

/** What a notebook has of a diagram. */
export interface OutputDiagram extends Omit<KeptDiagram, 'alt'> {
  readonly picture: KeptPicture | null;
}

export class DiagramKit implements IDisposable {
  constructor(services: Omit<DiagramServices, 'whenNear'>) {
    this._services = { ...services, whenNear: this._near.whenNear };
    services.theme.changed.connect(this._update);
    services.codeActions.changed.connect(this._update);
  }

  get isDisposed(): boolean {
    return this._near.isDisposed;
  }

  /** Take over a block of code that has a head and a `pre`. */
  showBlock({ block, head, source, kind, repair }: DiagramBlock): void {
    const pre = block.querySelector<HTMLElement>('pre');
    if (pre !== null && !this._views.has(block)) {
      const subject = { kind, source, kept: null, theme: null, repair };
      this._add(block, new DiagramView({ node: block, head, pre }, subject, this._services));
    }
  }

  /** Fill an output of a notebook. */
  showOutput(host: HTMLElement, diagram: OutputDiagram): void {
    const node = document.createElement('div');
    node.classList.add('jp-mod-output');
    const head = document.createElement('div');
    head.className = 'jp-LocalLLMDiagram-head';
    const pre = document.createElement('pre');
    pre.tabIndex = 0;
    const code = document.createElement('code');
    code.textContent = diagram.source;
    pre.append(code);
    node.append(head, pre);
    host.replaceChildren(node);
    const { kind, source, picture, theme } = diagram;
    const subject = { kind, source, kept: picture, theme, repair: null };
    this._add(node, new DiagramView({ node, head, pre }, subject, this._services));
  }

  /** Bring the diagrams below an element up to date, after it was out of the page. */
  update(root: ParentNode): void {
    for (const node of root.querySelectorAll('.jp-LocalLLMDiagram')) {
      this._views.get(node)?.update();
    }
  }

  dispose(): void {
    this._near.dispose();
    this._services.theme.changed.disconnect(this._update);
    this._services.codeActions.changed.disconnect(this._update);
  }

  private _add(node: Element, view: DiagramView): void {
    this._views.set(node, view);
  }

  private readonly _update = (): void => {
    this.update(document);
  };

  private readonly _near = new Near();
  private readonly _services: DiagramServices;
  private readonly _views = new WeakMap<Element, DiagramView>();
}
