/** Chance that can be had again: the same seed gives the same samples. */

/**
 * A stream of numbers in (0, 1): mulberry32.
 *
 * @param {number} seed
 */
export function seeded(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

/**
 * Samples of the standard normal.
 *
 * @param {number} count
 * @param {() => number} random
 */
export function normals(count, random = Math.random) {
  return Float64Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}
