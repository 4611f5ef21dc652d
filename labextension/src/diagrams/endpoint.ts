/**
 * The routes `localllm/diagrams` and `localllm/diagrams/repair`. Nothing is kept here.
 *
 * Called by `drawings.ts` and `repairs.ts`.
 */

import type { Api } from '../service/api';
import { readDrawing } from './nouns.js';
import type { DiagramKind, DiagramTheme, Drawing } from './nouns';

/** What is to be drawn. */
export interface DrawQuestion {
  readonly kind: DiagramKind;
  readonly source: string;
  readonly theme: DiagramTheme;
}

/** Draws diagrams. Every method throws `ApiError`. */
export interface IDiagramEndpoint {
  draw(question: DrawQuestion): Promise<Drawing>;
  /** Have a model mend it; an abort cancels the model's answer. '' is the default model. */
  repair(question: DrawQuestion, model: string, signal: AbortSignal): Promise<Drawing>;
}

const DRAW_TIMEOUT_MS = 60_000;
/** The model may have to be loaded, and writes two answers. */
const REPAIR_TIMEOUT_MS = 600_000;

/** {@link IDiagramEndpoint} over HTTP. */
export class DiagramEndpoint implements IDiagramEndpoint {
  constructor(private readonly _api: Api) {}

  draw({ kind, source, theme }: DrawQuestion): Promise<Drawing> {
    const options = { body: { kind, source, theme }, timeoutMs: DRAW_TIMEOUT_MS };
    return this._api.json('POST', ['diagrams'], readDrawing, options);
  }

  repair(
    { kind, source, theme }: DrawQuestion,
    model: string,
    signal: AbortSignal
  ): Promise<Drawing> {
    const body = { kind, source, theme, ...(model === '' ? {} : { model }) };
    const options = { body, signal, timeoutMs: REPAIR_TIMEOUT_MS };
    return this._api.json('POST', ['diagrams', 'repair'], readDrawing, options);
  }
}
