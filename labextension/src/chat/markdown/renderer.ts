/**
 * Turns one block of a model's Markdown into nodes that are safe to show.
 *
 * JupyterLab's Markdown parser makes HTML of it, JupyterLab's sanitiser (an own instance with
 * stricter options) is the last to change that text, and the parsed nodes are checked once more.
 * Formulas come back as text of the page and are typeset only if their TeX is harmless. Lab's own
 * Markdown widget is not used: it adds anchors to headings, resolves addresses, draws diagrams and
 * hands the whole text to the typesetter. Called by `stream.ts`.
 */

import { Sanitizer } from '@jupyterlab/apputils';
import type { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';

import { readLink, saysPlace } from './links.js';
import { extractMath, isSafeTex, MARK_PATTERN, withoutLabels } from './math.js';
import type { Formula } from './math.js';
import {
  isAllowedAttribute,
  isAllowedTag,
  safeHtmlOptions,
  withoutDiagramFences
} from './safe_html.js';
import type { SafeHtmlOptions } from './safe_html.js';

/** A single block longer than this is shown as it is. */
const MAX_MARKDOWN = 60_000;
const MAX_HIGHLIGHTED = 40_000;

export interface RenderOptions {
  /** False while a block is still being written: formulas are shown as their source. */
  readonly isFinal: boolean;
}

/** Makes nodes of Markdown; one for a chat. */
export class MarkdownRenderer {
  constructor(rendermime: IRenderMimeRegistry, trans: TranslationBundle) {
    this._parser = rendermime.markdownParser;
    this._typesetter = rendermime.latexTypesetter;
    this._sanitizer = new Sanitizer();
    // Came with JupyterLab 4.6; before it, the options below are what keeps the attributes out.
    const sanitizer: Partial<Pick<Sanitizer, 'setAllowCommandLinker'>> = this._sanitizer;
    sanitizer.setAllowCommandLinker?.(false);
    this._options = safeHtmlOptions({
      image: alternative =>
        alternative.trim() === ''
          ? trans.__('[image not loaded]')
          : trans.__('[image not loaded: %1]', alternative.trim())
    });
    this._unsafeMathTitle = trans.__('This formula uses a command that is not allowed here.');
  }

  /** Render Markdown; what cannot be parsed is shown as plain text. */
  async render(markdown: string, options: RenderOptions): Promise<DocumentFragment> {
    if (this._parser === null || markdown.length > MAX_MARKDOWN) {
      return plainText(markdown);
    }
    const { text, formulas } = extractMath(markdown.replace(/\r\n?/g, '\n'));
    let html: string;
    try {
      html = await this._parser.render(withoutDiagramFences(text));
    } catch {
      // Deeply nested text overflows the parser.
      return plainText(markdown);
    }
    const fragment = this._toNodes(html);
    this._markLinks(fragment);
    this._putFormulas(fragment, formulas, options.isFinal);
    return fragment;
  }

  /** Colour a block of code; `null` where it stays as it is. */
  async highlight(code: string, language: string): Promise<DocumentFragment | null> {
    if (this._parser === null || language === '' || code.length > MAX_HIGHLIGHTED) {
      return null;
    }
    const longest = Math.max(2, ...(code.match(/`+/g) ?? []).map(run => run.length));
    const fence = '`'.repeat(longest + 1);
    const name = language === 'mermaid' ? 'Mermaid' : language;
    let html: string;
    try {
      html = await this._parser.render(`${fence}${name}\n${code}\n${fence}`);
    } catch {
      return null;
    }
    const block = this._toNodes(html).querySelector('pre > code');
    // Colours only: what is copied and inserted is what the model wrote.
    if (block === null || block.textContent.replace(/\n$/, '') !== code.replace(/\n$/, '')) {
      return null;
    }
    const fragment = document.createDocumentFragment();
    fragment.append(...block.childNodes);
    return fragment;
  }

  /** Typeset the formulas below a node that is in the page. */
  async typeset(host: HTMLElement): Promise<void> {
    if (this._typesetter === null || host.querySelector('.mathjax_process') === null) {
      return;
    }
    await this._typesetter.typeset(host);
    for (const node of host.querySelectorAll('mjx-container *')) {
      // Nothing in a formula is a link or loads anything.
      if (node.hasAttribute('href')) {
        node.removeAttribute('href');
      }
      if (/url\(/i.test(node.getAttribute('style') ?? '')) {
        node.removeAttribute('style');
      }
    }
  }

  private _toNodes(html: string): DocumentFragment {
    const safe = this._sanitizer.sanitize(html, this._options);
    // A document of the parser loads nothing and runs nothing.
    const parsed = new DOMParser().parseFromString(safe, 'text/html');
    const fragment = document.createDocumentFragment();
    fragment.append(...parsed.body.childNodes);
    for (const element of fragment.querySelectorAll('*')) {
      checkElement(element);
    }
    return fragment;
  }

  private _markLinks(fragment: DocumentFragment): void {
    for (const anchor of fragment.querySelectorAll('a')) {
      const link = readLink(anchor.getAttribute('href') ?? '');
      if (link === null) {
        continue;
      }
      anchor.target = '_blank';
      anchor.rel = 'noopener noreferrer';
      anchor.title = link.href;
      if (!saysPlace(anchor.textContent, link)) {
        const place = document.createElement('span');
        place.className = 'jp-LocalLLMChat-linkPlace';
        place.dir = 'ltr';
        place.textContent = ` (${link.place})`;
        anchor.after(place);
      }
    }
  }

  private _putFormulas(
    fragment: DocumentFragment,
    formulas: readonly Formula[],
    isFinal: boolean
  ): void {
    if (formulas.length === 0) {
      return;
    }
    const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
    const found: Text[] = [];
    while (walker.nextNode() !== null) {
      if (walker.currentNode instanceof Text && MARK_PATTERN.test(walker.currentNode.data)) {
        found.push(walker.currentNode);
      }
    }
    for (const node of found) {
      const isCode = node.parentElement?.closest('code, pre') !== null && node.parentElement !== null;
      const pieces = node.data.split(MARK_PATTERN);
      node.replaceWith(
        ...pieces.map((piece, index) => {
          const formula = index % 2 === 1 ? formulas[Number(piece)] : undefined;
          if (formula === undefined) {
            return index % 2 === 1 ? '' : piece;
          }
          return isCode ? formula.source : this._formulaNode(formula, isFinal);
        })
      );
    }
  }

  private _formulaNode(formula: Formula, isFinal: boolean): HTMLElement {
    const tex = withoutLabels(formula.tex);
    const node = document.createElement(isSafeTex(tex) ? 'span' : 'code');
    node.className = 'jp-LocalLLMChat-math';
    if (formula.isDisplay) {
      node.classList.add('jp-mod-display');
    }
    if (!isSafeTex(tex)) {
      node.title = this._unsafeMathTitle;
      node.textContent = formula.source;
    } else if (!isFinal || this._typesetter === null) {
      node.textContent = formula.source;
    } else {
      node.classList.add('mathjax_process');
      const isEnvironment = formula.source === formula.tex;
      const [open, close] = formula.isDisplay ? ['\\[', '\\]'] : ['\\(', '\\)'];
      node.textContent = isEnvironment ? tex : `${open}${tex}${close}`;
    }
    return node;
  }

  private readonly _parser: IRenderMime.IMarkdownParser | null;
  private readonly _typesetter: IRenderMime.ILatexTypesetter | null;
  private readonly _sanitizer: Sanitizer;
  private readonly _options: SafeHtmlOptions;
  private readonly _unsafeMathTitle: string;
}

function checkElement(element: Element): void {
  if (!isAllowedTag(element.localName) || element.namespaceURI !== 'http://www.w3.org/1999/xhtml') {
    element.remove();
    return;
  }
  for (const { name, value } of [...element.attributes]) {
    if (!isAllowedAttribute(element.localName, name, value)) {
      element.removeAttribute(name);
    }
  }
}

function plainText(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  const node = document.createElement('div');
  node.className = 'jp-LocalLLMChat-plain';
  node.textContent = text;
  fragment.append(node);
  return fragment;
}
