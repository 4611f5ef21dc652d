/**
 * Drawings that this page has asked for: each source once for each theme, two at a time.
 *
 * So scrolling, a chat that is opened again and a change of the theme and back ask nobody. Failures
 * of the source itself are kept, too; that the server did not answer is not. Pure but for the
 * endpoint that is handed in.
 */

import { ApiError } from '../service/api.js';
import type { DrawQuestion, IDiagramEndpoint } from './endpoint';
import { faultOf } from './nouns.js';
import type { DiagramFault, Drawing } from './nouns';

/** A picture, or why there is none. */
export type DrawResult =
  | { readonly drawing: Drawing; readonly fault: null }
  | { readonly drawing: null; readonly fault: DiagramFault };

/** Requests of one page under way at a time; the server draws them one after the other. */
const AT_A_TIME = 2;

const MAX_KEPT = 200;
/** Characters of all pictures that are kept. */
const MAX_KEPT_LENGTH = 24_000_000;

/** Whose cause is the source, so that asking again would give the same. */
const LASTING = new Set(['diagram_invalid', 'diagram_too_large']);

function keyOf({ kind, source, theme }: DrawQuestion): string {
  return `${kind} ${theme} ${source}`;
}

function lengthOf({ drawing }: DrawResult): number {
  return drawing === null ? 0 : drawing.svg.length + drawing.png.length;
}

/** One for a page. */
export class Drawings {
  constructor(private readonly _endpoint: IDiagramEndpoint) {}

  /** What is known without asking. */
  peek(question: DrawQuestion): DrawResult | null {
    return this._kept.get(keyOf(question)) ?? null;
  }

  /** Keep a picture that came another way. */
  remember(drawing: Drawing): void {
    this._keep(keyOf(drawing), { drawing, fault: null });
  }

  /** The picture, or why there is none. */
  draw(question: DrawQuestion): Promise<DrawResult> {
    const key = keyOf(question);
    const kept = this._kept.get(key);
    if (kept !== undefined) {
      // The one used last is the last to go.
      this._kept.delete(key);
      this._kept.set(key, kept);
      return Promise.resolve(kept);
    }
    let waiting = this._underWay.get(key);
    if (waiting === undefined) {
      waiting = this._ask(question)
        .then(result => {
          if (result.fault === null || LASTING.has(result.fault.code)) {
            this._keep(key, result);
          }
          return result;
        })
        .finally(() => {
          this._underWay.delete(key);
        });
      this._underWay.set(key, waiting);
    }
    return waiting;
  }

  private async _ask(question: DrawQuestion): Promise<DrawResult> {
    if (this._nRunning >= AT_A_TIME) {
      await new Promise<void>(resolve => {
        this._line.push(resolve);
      });
    } else {
      this._nRunning += 1;
    }
    try {
      return { drawing: await this._endpoint.draw(question), fault: null };
    } catch (error) {
      if (!(error instanceof ApiError)) {
        throw error;
      }
      return { drawing: null, fault: faultOf(error.wire) };
    } finally {
      // Whoever is next takes over this one's place.
      const next = this._line.shift();
      if (next === undefined) {
        this._nRunning -= 1;
      } else {
        next();
      }
    }
  }

  private _keep(key: string, result: DrawResult): void {
    const before = this._kept.get(key);
    this._keptLength += lengthOf(result) - (before === undefined ? 0 : lengthOf(before));
    this._kept.set(key, result);
    for (const [oldest, old] of this._kept) {
      const isWithin = this._kept.size <= MAX_KEPT && this._keptLength <= MAX_KEPT_LENGTH;
      if (isWithin || oldest === key) {
        break;
      }
      this._kept.delete(oldest);
      this._keptLength -= lengthOf(old);
    }
  }

  private readonly _kept = new Map<string, DrawResult>();
  private readonly _underWay = new Map<string, Promise<DrawResult>>();
  private readonly _line: (() => void)[] = [];
  private _keptLength = 0;
  private _nRunning = 0;
}
