/** A small generator of random numbers that tests can repeat, and texts made with it. */

/** Numbers from 0 up to, not including, 1; the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One of these, each as likely. */
export function choose<Value>(random: () => number, values: readonly Value[]): Value {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) {
    throw new Error('nothing to choose from');
  }
  return value;
}

/** Up to `most` of these pieces, joined. */
export function randomText(
  random: () => number,
  pieces: readonly string[],
  most: number
): string {
  const length = Math.floor(random() * (most + 1));
  return Array.from({ length }, () => choose(random, pieces)).join('');
}
