/**
 * One fenced block of code on the page: a head that says the language, and the code.
 *
 * While it is written, the text of one node grows; colours come once, at the end. The text of the
 * code element always is the model's code, to the letter. Called by `stream.ts`.
 */

/**
 * Puts the buttons on a finished block, or the picture of a diagram in its place; `isLive`: it was
 * written while the page looked on.
 */
export type DecorateCode = (block: HTMLElement, language: string, isLive: boolean) => void;

export class CodeView {
  constructor(host: HTMLElement, language: string) {
    this.language = language;
    this.node = document.createElement('div');
    this.node.className = 'jp-LocalLLMChat-code';
    this.node.dataset.language = language;
    const pre = document.createElement('pre');
    // Long lines are reached by the keyboard, too.
    pre.tabIndex = 0;
    this._code = document.createElement('code');
    this._code.append(this._text);
    pre.append(this._code);
    this.node.append(codeHead(language), pre);
    host.replaceChildren(this.node);
  }

  setText(code: string): void {
    const shown = this._text.data;
    if (code.startsWith(shown)) {
      this._text.appendData(code.slice(shown.length));
    } else {
      this._text.data = code;
    }
  }

  /** Replace the plain text by the same text in colours. */
  setColours(fragment: DocumentFragment): void {
    this._code.replaceChildren(fragment);
  }

  readonly node: HTMLElement;
  readonly language: string;
  private readonly _code: HTMLElement;
  private readonly _text = document.createTextNode('');
}

function codeHead(language: string): HTMLElement {
  const head = document.createElement('div');
  head.className = 'jp-LocalLLMChat-codeHead';
  const label = document.createElement('span');
  label.className = 'jp-LocalLLMChat-codeLanguage';
  label.textContent = language;
  head.append(label);
  return head;
}

/** Give the blocks of code inside of lists and quotes the same head and buttons. */
export function wrapNestedCode(
  host: HTMLElement,
  decorate: DecorateCode,
  isLive: boolean
): void {
  for (const code of host.querySelectorAll<HTMLElement>('pre > code')) {
    const pre = code.parentElement;
    if (pre === null) {
      continue;
    }
    const language = (/language-([\w+#.-]+)/.exec(code.className)?.[1] ?? '').toLowerCase();
    const block = document.createElement('div');
    block.className = 'jp-LocalLLMChat-code';
    block.dataset.language = language;
    pre.replaceWith(block);
    pre.tabIndex = 0;
    block.append(codeHead(language), pre);
    decorate(block, language, isLive);
  }
}

/** The code of a block, without the line end that parsers add. */
export function codeTextOf(block: HTMLElement): string {
  return (block.querySelector('pre > code')?.textContent ?? '').replace(/\n$/, '');
}
