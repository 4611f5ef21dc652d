/**
 * When to paint again, so that painting never takes the page from the reader who types.
 *
 * Pure. Called by `stream.ts`.
 */

/** A paint that took no longer than this may come again in the next frame. */
const CHEAP_MS = 4;
/** Longer ones may have this part of the time. */
const SHARE = 0.2;
const LONGEST_PAUSE_MS = 1000;

/** Milliseconds to wait from the end of a paint to the next one. */
export function pauseAfter(costMs: number): number {
  return costMs <= CHEAP_MS ? 0 : Math.min(LONGEST_PAUSE_MS, costMs * (1 / SHARE - 1));
}
