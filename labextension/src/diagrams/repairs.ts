/**
 * What the model made of sources that do not parse, once for each source of this page.
 *
 * A repair goes on when its message is scrolled away and rendered again, and what came of it is
 * found again. Pure but for the endpoint that is handed in.
 */

import { ApiError } from '../service/api.js';
import type { DrawQuestion, IDiagramEndpoint } from './endpoint';
import { faultOf } from './nouns.js';
import type { DiagramFault, Drawing } from './nouns';

/** How a repair ended. */
export type RepairResult =
  | { readonly kind: 'repaired'; readonly drawing: Drawing }
  | { readonly kind: 'failed'; readonly fault: DiagramFault }
  | { readonly kind: 'stopped' };

/** A repair under way. */
export interface RunningRepair {
  readonly done: Promise<RepairResult>;
  stop(): void;
}

const MAX_KEPT = 100;

function keyOf({ kind, source }: DrawQuestion): string {
  return `${kind} ${source}`;
}

/** One for a page. */
export class Repairs {
  constructor(private readonly _endpoint: IDiagramEndpoint) {}

  /** The source that took the place of this one, or `null`. */
  repairedSource(question: DrawQuestion): string | null {
    return this._repaired.get(keyOf(question)) ?? null;
  }

  /** The repair of this source that is under way, or `null`. */
  running(question: DrawQuestion): RunningRepair | null {
    return this._running.get(keyOf(question)) ?? null;
  }

  /** Whether the model has been asked about this source; by itself it is asked once only. */
  wasAsked(question: DrawQuestion): boolean {
    return this._asked.has(keyOf(question));
  }

  /** Ask the model; where it is at it already, that one is returned. */
  start(question: DrawQuestion, model: string): RunningRepair {
    const key = keyOf(question);
    const running = this._running.get(key);
    if (running !== undefined) {
      return running;
    }
    const aborter = new AbortController();
    const repair: RunningRepair = {
      done: this._run(question, model, aborter.signal).finally(() => {
        this._running.delete(key);
      }),
      stop: () => {
        aborter.abort();
      }
    };
    this._asked.add(key);
    this._running.set(key, repair);
    return repair;
  }

  private async _run(
    question: DrawQuestion,
    model: string,
    signal: AbortSignal
  ): Promise<RepairResult> {
    try {
      const drawing = await this._endpoint.repair(question, model, signal);
      this._repaired.set(keyOf(question), drawing.source);
      for (const key of this._repaired.keys()) {
        if (this._repaired.size <= MAX_KEPT) {
          break;
        }
        this._repaired.delete(key);
      }
      return { kind: 'repaired', drawing };
    } catch (error) {
      if (signal.aborted) {
        return { kind: 'stopped' };
      }
      if (!(error instanceof ApiError)) {
        throw error;
      }
      return { kind: 'failed', fault: faultOf(error.wire) };
    }
  }

  private readonly _repaired = new Map<string, string>();
  private readonly _running = new Map<string, RunningRepair>();
  private readonly _asked = new Set<string>();
}
