/**
 * Shows Markdown that grows: finished blocks once, the tail at most once per frame.
 *
 * Each finished block has an element of its own that is not touched again, but for links whose
 * definitions come later. Called by the view of a message; the time is given by `FrameQueue`.
 */

import type { IDisposable } from '@lumino/disposable';

import { BlockSplitter, codeOf } from './blocks.js';
import type { Block } from './blocks.js';
import { CodeView, wrapNestedCode } from './code_view.js';
import type { DecorateCode } from './code_view.js';
import type { FrameQueue } from './frame_queue.js';
import { pauseAfter } from './pacing.js';
import { Definitions } from './references.js';
import type { MarkdownRenderer } from './renderer.js';
import { languageOf } from './safe_html.js';

export interface StreamOptions {
  readonly host: HTMLElement;
  readonly renderer: MarkdownRenderer;
  readonly queue: FrameQueue;
  readonly decorateCode: DecorateCode;
  /** Shown until the first paint, or ''. */
  readonly plainText: string;
}

interface ShownBlock {
  readonly block: Block;
  readonly host: HTMLElement;
  code: CodeView | null;
  /** The definitions it was rendered with. */
  definitions: string;
}

function blockHost(): HTMLElement {
  const host = document.createElement('div');
  // The typesetter looks only at what the renderer marked for it.
  host.className = 'jp-LocalLLMChat-block mathjax_ignore';
  return host;
}

/** Fences in the tail without their languages, so that they are not coloured in each frame. */
function withoutLanguages(markdown: string): string {
  return markdown.replace(/^(\s*(?:(?:[-*+>]|\d{1,9}[.)])\s+)*(?:`{3,}|~{3,}))[^`\n]*$/gm, '$1');
}

export class StreamingMarkdown implements IDisposable {
  constructor(options: StreamOptions) {
    this._options = options;
    this._reset(options.plainText);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The text as it is now, and more will come. */
  update(text: string): void {
    this._isLive = true;
    this._take(text, false);
  }

  /** The whole text. */
  finish(text: string): void {
    this._take(text, true);
  }

  dispose(): void {
    this._isDisposed = true;
    clearTimeout(this._timer);
  }

  private _take(text: string, isFinal: boolean): void {
    if (this._isDisposed || (text === this._text && isFinal === this._isFinal)) {
      return;
    }
    this._text = text;
    this._isFinal = isFinal;
    this._schedule();
  }

  private _schedule(): void {
    const pause = this._isFinal ? 0 : this._nextPaint - performance.now();
    if (this._isScheduled || (pause > 0 && this._timer !== 0)) {
      return;
    }
    clearTimeout(this._timer);
    this._timer = 0;
    if (pause > 0) {
      this._timer = window.setTimeout(() => {
        this._timer = 0;
        this._enqueue();
      }, pause);
    } else {
      this._enqueue();
    }
  }

  private _enqueue(): void {
    if (!this._isScheduled) {
      this._isScheduled = true;
      this._options.queue.add(() => this._paint());
    }
  }

  /** Begin anew, with what the element showed until then as plain text. */
  private _reset(plainText: string): void {
    this._splitter = new BlockSplitter();
    this._definitions = new Definitions();
    this._painted = '';
    this._shown.length = 0;
    this._tail = blockHost();
    this._tailCode = null;
    if (plainText !== '') {
      this._tail.textContent = plainText;
      this._tail.classList.add('jp-mod-waiting');
    }
    this._options.host.replaceChildren(this._tail);
  }

  private async _paint(): Promise<void> {
    this._isScheduled = false;
    if (this._isDisposed) {
      return;
    }
    const start = performance.now();
    const text = this._text;
    const isFinal = this._isFinal;
    if (!text.startsWith(this._painted) || (this._isDone && text !== this._painted)) {
      this._reset('');
    }
    this._painted = text;
    this._isDone = isFinal;
    if (isFinal) {
      this._splitter.finish(text);
    } else {
      this._splitter.update(text);
    }
    this._freezeBlocks(text);
    if (isFinal) {
      this._tail.remove();
      this._options.queue.add(() => {
        this._resolveLateReferences();
      });
    } else {
      await this._paintTail(text);
    }
    this._nextPaint = performance.now() + pauseAfter(performance.now() - start);
  }

  private _freezeBlocks(text: string): void {
    const { frozen } = this._splitter;
    for (let index = this._shown.length; index < frozen.length; index += 1) {
      const block = frozen[index];
      if (block === undefined) {
        break;
      }
      // The element that showed the tail goes on showing it until the block is rendered.
      const shown: ShownBlock = {
        block,
        host: this._tail,
        code: block.fence === null ? null : this._tailCode,
        definitions: ''
      };
      const isPlain = this._tail.classList.contains('jp-mod-waiting');
      if (this._tailCode === null && (isPlain || this._tail.childNodes.length === 0)) {
        this._tail.textContent = text.slice(block.start, block.end).trim();
        this._tail.classList.add('jp-mod-waiting');
      }
      this._tail = blockHost();
      this._tailCode = null;
      shown.host.after(this._tail);
      this._shown.push(shown);
      if (block.fence === null && block.kind !== 'indented') {
        this._definitions.collect(text.slice(block.start, block.end));
      }
      const generation = this._splitter;
      this._options.queue.add(async () => {
        if (!this._isDisposed && generation === this._splitter) {
          await this._renderBlock(shown);
        }
      });
    }
  }

  private async _renderBlock(shown: ShownBlock): Promise<void> {
    const { renderer, decorateCode } = this._options;
    const { block, host } = shown;
    const source = this._painted.slice(block.start, block.end);
    if (block.fence !== null) {
      await this._renderCode(shown, codeOf(source, block.fence, true));
      return;
    }
    const definitions = block.kind === 'definition' ? [] : this._definitions.usedBy(source);
    shown.definitions = definitions.join('\n');
    const markdown = definitions.length === 0 ? source : `${source}\n\n${shown.definitions}\n`;
    const fragment = await renderer.render(markdown, { isFinal: true });
    if (this._isDisposed) {
      return;
    }
    host.classList.remove('jp-mod-waiting');
    host.replaceChildren(fragment);
    wrapNestedCode(host, decorateCode, this._isLive);
    await renderer.typeset(host);
  }

  private async _renderCode(shown: ShownBlock, code: string): Promise<void> {
    const { renderer, decorateCode } = this._options;
    const language = languageOf(shown.block.fence?.info ?? '');
    const view = shown.code ?? new CodeView(shown.host, language);
    shown.host.classList.remove('jp-mod-waiting');
    shown.code = view;
    view.setText(code);
    const colours = await renderer.highlight(code, language);
    if (this._isDisposed) {
      return;
    }
    if (colours !== null) {
      view.setColours(colours);
    }
    decorateCode(view.node, language, this._isLive);
  }

  private async _paintTail(text: string): Promise<void> {
    const { kind, start, fence } = this._splitter.tail;
    const source = text.slice(start);
    const tail = this._tail;
    if (fence !== null) {
      this._tailCode ??= new CodeView(tail, languageOf(fence.info));
      this._tailCode.setText(codeOf(source, fence, false));
      return;
    }
    this._tailCode = null;
    tail.classList.toggle('jp-mod-waiting', kind === 'math');
    if (source.trim() === '') {
      tail.replaceChildren();
    } else if (kind === 'math') {
      tail.textContent = source.trim();
    } else {
      const fragment = await this._options.renderer.render(withoutLanguages(source), {
        isFinal: false
      });
      tail.replaceChildren(fragment);
    }
  }

  /** Render the blocks again whose links were defined behind them. */
  private _resolveLateReferences(): void {
    if (this._definitions.size === 0) {
      return;
    }
    for (const shown of this._shown) {
      const { block } = shown;
      if (block.fence !== null || block.kind === 'definition') {
        continue;
      }
      const source = this._painted.slice(block.start, block.end);
      if (this._definitions.usedBy(source).join('\n') !== shown.definitions) {
        this._options.queue.add(() => this._renderBlock(shown));
      }
    }
  }

  private readonly _options: StreamOptions;
  private readonly _shown: ShownBlock[] = [];
  private _splitter = new BlockSplitter();
  private _definitions = new Definitions();
  private _tail = blockHost();
  private _tailCode: CodeView | null = null;
  private _text = '';
  private _painted = '';
  private _isFinal = false;
  /** More text came than was there at first. */
  private _isLive = false;
  private _isDone = false;
  private _isScheduled = false;
  private _isDisposed = false;
  private _nextPaint = 0;
  private _timer = 0;
}
