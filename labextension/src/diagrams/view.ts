/**
 * One diagram on the page: its source until there is a picture, then the picture with its tools.
 *
 * The picture is an `<img>` that holds all of its content; nothing of a model's text is laid out
 * here. Stands in plain elements, because it is inside of rendered Markdown and of outputs. Made by
 * `kit.ts`.
 */

import type { DrawQuestion } from './endpoint';
import { enlarge } from './enlarge';
import { cellOf } from './nouns';
import type { DiagramFault, DiagramTheme, Drawing } from './nouns';
import { faultNotes, hasChanges, markedSource, pictureNotes } from './notes';
import type { ChangeFacts } from './notes';
import { openPictureMenu } from './picture_menu';
import { loadPicture } from './pictures';
import type { RunningRepair } from './repairs';
import type { DiagramParts, DiagramServices, DiagramSubject } from './subject';
import { DiagramToolbar } from './toolbar';
import type { DiagramAction } from './toolbar';

/** Failures that drawing again would give again. */
const FINAL = new Set(['diagram_invalid', 'diagram_too_large', 'picture_unreadable']);

export class DiagramView {
  constructor(
    private readonly _parts: DiagramParts,
    private readonly _subject: DiagramSubject,
    private readonly _services: DiagramServices
  ) {
    const { node, head, pre } = _parts;
    const { trans, repairs } = _services;
    node.classList.add('jp-LocalLLMDiagram');
    this._code = pre.querySelector('code') ?? pre;
    this._given = [...this._code.childNodes];
    this._picture.className = 'jp-LocalLLMDiagram-picture';
    this._picture.hidden = true;
    this._notes.className = 'jp-LocalLLMDiagram-notes';
    this._said.className = 'jp-LocalLLMDiagram-said';
    this._said.setAttribute('role', 'status');
    const label =
      _subject.kind === 'dot' ? trans.__('Diagram: Graphviz') : trans.__('Diagram: Mermaid');
    this._toolbar = new DiagramToolbar(label, trans, this._onAction);
    head.append(this._toolbar.node);
    pre.before(this._picture, this._notes);
    node.append(this._said);
    this._drawn = repairs.repairedSource(this._asGiven) ?? _subject.source;
    this._refresh();
    this._begin();
  }

  /** The page's colours or what the buttons can do has changed. */
  readonly update = (): void => {
    this._refreshToolbar();
    if (this._picture.hidden) {
      return;
    }
    if (this._shownTheme !== this._wantedTheme) {
      this._services.whenNear(this._parts.node, this._draw);
    }
  };

  private _begin(): void {
    const { drawings, whenNear } = this._services;
    const { kept, theme } = this._subject;
    if (kept !== null) {
      void loadPicture(kept).then(image => {
        // A drawing that came first is the better one.
        if (image !== null && this._picture.hidden) {
          this._showImage(image, theme ?? 'neutral');
        }
        if (image === null || (theme === null && this._wantedTheme === 'dark')) {
          whenNear(this._parts.node, this._draw);
        }
      });
    } else if (drawings.peek(this._question) !== null) {
      this._draw();
    } else {
      whenNear(this._parts.node, this._draw);
    }
  }

  private get _wantedTheme(): DiagramTheme {
    const { theme, kept } = this._subject;
    const page = this._services.theme.current;
    // What is kept suits a light page as it is.
    return theme ?? (kept !== null && page !== 'dark' ? 'neutral' : page);
  }

  private get _question(): DrawQuestion {
    return { kind: this._subject.kind, source: this._drawn, theme: this._wantedTheme };
  }

  private get _asGiven(): DrawQuestion {
    return { ...this._subject, theme: this._wantedTheme };
  }

  private readonly _draw = (): void => {
    this._turn += 1;
    const turn = this._turn;
    void this._services.drawings.draw(this._question).then(async ({ drawing, fault }) => {
      if (turn !== this._turn) {
        return;
      }
      if (drawing !== null) {
        await this._show(drawing, turn);
      } else if (this._picture.hidden) {
        this._fail(fault);
      }
    });
  };

  private async _show(drawing: Drawing, turn: number): Promise<void> {
    const image = await loadPicture(drawing);
    if (turn !== this._turn) {
      return;
    }
    if (image === null) {
      const { trans } = this._services;
      this._fail({
        code: 'picture_unreadable',
        message: trans.__('The browser cannot show this picture.'),
        hint: trans.__('Its source is below.'),
        line: 0
      });
      return;
    }
    this._drawn = drawing.source;
    this._changes = drawing.changes;
    this._fault = null;
    this._showImage(image, drawing.theme);
  }

  private _showImage(image: HTMLImageElement, theme: DiagramTheme): void {
    this._shownTheme = theme;
    this._picture.replaceChildren(image);
    this._picture.hidden = false;
    this._picture.dataset.ground = this._ground;
    this._refresh();
  }

  private get _ground(): 'light' | 'dark' {
    return this._shownTheme === 'dark' ? 'dark' : 'light';
  }

  private _fail(fault: DiagramFault): void {
    this._fault = fault;
    const { repair } = this._subject;
    const { repairs } = this._services;
    const isAtIt = repairs.running(this._asGiven) !== null;
    const begins = repair?.isAutomatic() === true && !repairs.wasAsked(this._asGiven);
    if (this._canRepair && (isAtIt || begins)) {
      this._repair();
    } else {
      this._refresh();
    }
  }

  private get _canRepair(): boolean {
    return this._subject.repair !== null && this._fault?.code === 'diagram_invalid';
  }

  private readonly _repair = (): void => {
    const { drawings, repairs } = this._services;
    const repair = repairs.start(this._asGiven, this._subject.repair?.model() ?? '');
    this._running = repair;
    this._repairFault = null;
    this._refresh();
    void repair.done.then(async result => {
      this._running = null;
      if (result.kind === 'repaired') {
        drawings.remember(result.drawing);
        this._turn += 1;
        await this._show(result.drawing, this._turn);
        this._say(this._services.trans.__('The model has repaired the diagram.'));
        // The page's colours may have changed meanwhile.
        this.update();
        return;
      }
      this._repairFault = result.kind === 'failed' ? result.fault : null;
      this._refresh();
    });
  };

  // --- what is shown -------------------------------------------------------------------------

  private _refresh(): void {
    const { node, pre } = this._parts;
    const hasPicture = !this._picture.hidden;
    pre.hidden = hasPicture && !this._isSourceShown;
    node.dataset.state =
      this._running !== null
        ? 'repairing'
        : hasPicture
          ? 'drawn'
          : this._fault === null
            ? 'source'
            : 'failed';
    if (hasPicture && this._drawn !== this._subject.source) {
      this._code.replaceChildren(this._drawn);
    } else if (!hasPicture && this._fault !== null && this._fault.line > 0) {
      this._code.replaceChildren(...markedSource(this._subject.source, this._fault.line));
    } else {
      this._code.replaceChildren(...this._given);
    }
    const hadFocus = this._notes.contains(document.activeElement);
    this._notes.replaceChildren(...this._noteNodes(hasPicture));
    this._refreshToolbar();
    if (hadFocus) {
      const next = this._notes.querySelector('button');
      if (next === null) {
        this._toolbar.focus();
      } else {
        next.focus();
      }
    }
  }

  private _noteNodes(hasPicture: boolean): readonly HTMLElement[] {
    const { trans } = this._services;
    if (hasPicture) {
      return pictureNotes(this._changeFacts, trans);
    }
    const running = this._running;
    const stop = (): void => running?.stop();
    const canRetry = this._fault !== null && !FINAL.has(this._fault.code);
    return faultNotes(
      {
        fault: this._fault,
        repairFault: this._repairFault,
        stop: running === null ? null : stop,
        repair: this._canRepair ? this._repair : null,
        retry: canRetry ? this._draw : null
      },
      trans
    );
  }

  private get _changeFacts(): ChangeFacts {
    return {
      given: this._subject.source,
      drawn: this._drawn,
      changes: this._changes,
      isRepaired: this._services.repairs.repairedSource(this._asGiven) !== null,
      areShown: this._areChangesShown
    };
  }

  private _refreshToolbar(): void {
    const hasPicture = !this._picture.hidden;
    this._toolbar.set({
      changes: { isShown: hasPicture && hasChanges(this._changeFacts), isExpanded: this._areChangesShown },
      source: { isShown: hasPicture, isExpanded: this._isSourceShown },
      'copy-source': { isShown: true },
      picture: { isShown: hasPicture },
      insert: { isShown: true, whyNot: this._services.codeActions.whyNot('insert-below') },
      enlarge: { isShown: hasPicture }
    });
  }

  private _say(text: string): void {
    this._said.textContent = text;
  }

  // --- what the buttons do -------------------------------------------------------------------

  private readonly _onAction = (action: DiagramAction, button: HTMLElement): void => {
    switch (action) {
      case 'changes':
        this._areChangesShown = !this._areChangesShown;
        this._refresh();
        break;
      case 'source':
        this._isSourceShown = !this._isSourceShown;
        this._refresh();
        break;
      case 'copy-source':
        void this._do(button, this._services.trans.__('Source copied.'), () =>
          navigator.clipboard.writeText(this._drawn)
        );
        break;
      case 'insert':
        void this._do(button, this._services.trans.__('Inserted below the active cell.'), () =>
          // The cell is one of IPython's, whatever is below its first line.
          this._services.codeActions.perform(
            'insert-below',
            cellOf(this._subject.kind, this._drawn),
            'python'
          )
        );
        break;
      case 'picture':
        this._openMenu(button);
        break;
      case 'enlarge':
        this._enlarge();
        break;
    }
  };

  private async _do(button: HTMLElement, done: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
      this._say(done);
      this._toolbar.markDone(button);
    } catch (error) {
      const reason = error instanceof Error ? error.message : '';
      this._say(reason === '' ? this._services.trans.__('That did not work.') : reason);
      button.title = this._said.textContent;
    }
  }

  private _openMenu(button: HTMLElement): void {
    openPictureMenu({
      button,
      trans: this._services.trans,
      drawing: async () => {
        // As it is kept elsewhere: in the colours that suit paper, too.
        const theme = this._subject.theme ?? 'neutral';
        const { drawing, fault } = await this._services.drawings.draw({ ...this._question, theme });
        if (drawing === null) {
          throw new Error(fault.message);
        }
        return drawing;
      },
      say: (text, isDone) => {
        this._say(text);
        if (isDone) {
          this._toolbar.markDone(button);
        } else {
          button.title = text;
        }
      }
    });
  }

  private _enlarge(): void {
    const image = this._picture.querySelector('img');
    if (image !== null) {
      const width = Number(image.getAttribute('width')) || image.naturalWidth;
      const height = Number(image.getAttribute('height')) || image.naturalHeight;
      const picture = { url: image.src, alt: image.alt, width, height, ground: this._ground };
      enlarge(picture, this._services.trans);
    }
  }

  private readonly _code: HTMLElement;
  /** The source as it was shown at first, in colours. */
  private readonly _given: readonly ChildNode[];
  private readonly _picture = document.createElement('div');
  private readonly _notes = document.createElement('div');
  private readonly _said = document.createElement('span');
  private readonly _toolbar: DiagramToolbar;
  /** What the picture shows, or would show. */
  private _drawn: string;
  private _changes: readonly string[] = [];
  private _fault: DiagramFault | null = null;
  private _repairFault: DiagramFault | null = null;
  private _running: RunningRepair | null = null;
  private _shownTheme: DiagramTheme = 'neutral';
  private _isSourceShown = false;
  private _areChangesShown = false;
  /** Only what was asked for last is shown. */
  private _turn = 0;
}
