/**
 * Code that `%%llm -x` ran, as its output tells of it, in the metadata of its cell.
 *
 * A kernel can write outputs but no cell's metadata, so the page copies it over. Outputs are cleared
 * easily and often; the cell then still says what ran in it. Nothing ever reads it back to run it.
 * Called by `plugins/executed_code.ts`.
 */

import { isRecord } from '../guards.js';
import type { JSONRecord } from '../guards.js';

/** The key of ours in the metadata of outputs and of cells. */
const METADATA_KEY = 'jupyter_localllm';

/** What of an output's facts is about the run: the code, what wrote it, and how it went. */
const KEPT: readonly string[] = ['code', 'model', 'seed', 'attempt', 'run_s', 'error'];

/** The outputs of a cell, as Lab's model has them. */
export interface Outputs {
  readonly length: number;
  get(index: number): { readonly metadata: JSONRecord };
}

/** What this needs of a cell; Lab's `CodeCellModel` has it. */
export interface CellWithOutputs {
  readonly outputs: Outputs;
  getMetadata(key: string): unknown;
  setMetadata(key: string, value: JSONRecord): void;
  deleteMetadata(key: string): void;
}

/** The last code of these outputs that ran; `null` where none did. */
export function executedCode(outputs: Outputs): JSONRecord | null {
  for (let index = outputs.length - 1; index >= 0; index -= 1) {
    const facts = outputs.get(index).metadata[METADATA_KEY];
    if (isRecord(facts) && facts['is_executed'] === true) {
      return Object.fromEntries(Object.entries(facts).filter(([name]) => KEPT.includes(name)));
    }
  }
  return null;
}

/** Keep what a cell's newest run executed; what an older run did is forgotten. */
export function keepExecutedCode(cell: CellWithOutputs): void {
  const executed = executedCode(cell.outputs);
  if (executed !== null) {
    cell.setMetadata(METADATA_KEY, { executed });
  } else if (cell.getMetadata(METADATA_KEY) !== undefined) {
    cell.deleteMetadata(METADATA_KEY);
  }
}
