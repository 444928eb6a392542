/** A hand on the face, whatever it holds: where it is, how keys move it, what a frame has time for. */

/** @import { Place } from "./grip.js" */

/** What of a frame's 16 ms steps may take. */
const BUDGET_MS = 7;

/** How far a key moves it, in its own unit, alone and with Shift. */
const NUDGE = 1;
const SHOVE = 4;

/** @type {Record<string, [number, number]>} */
const WAYS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/**
 * Where a pointer is on an image of some rows and columns.
 *
 * @param {Element} sheet  What lies over the image.
 * @param {PointerEvent} event
 * @param {number[]} shape
 * @returns {Place}
 */
export function pointedAt(sheet, event, [height, width]) {
  const box = sheet.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * width,
    y: ((event.clientY - box.top) / box.height) * height,
  };
}

/**
 * Where a key moves a place to, on the image; nothing where it is no such key.
 *
 * @param {KeyboardEvent} event
 * @param {Place} at
 * @param {number[]} shape
 * @param {number} unit  In pixels of the image.
 * @returns {Place | undefined}
 */
export function nudged({ key, shiftKey }, at, [height, width], unit = 1) {
  const way = WAYS[key];
  if (!way) return undefined;
  const step = unit * (shiftKey ? SHOVE : NUDGE);
  return {
    x: Math.min(width, Math.max(0, at.x + step * way[0])),
    y: Math.min(height, Math.max(0, at.y + step * way[1])),
  };
}

/**
 * Take the steps that a frame has time for; more of them where motion is not wanted.
 *
 * @param {Float32Array} z
 * @param {(z: Float32Array) => {z: Float32Array, arrived: boolean}} step
 * @param {number} most  Of steps; then it is near enough.
 */
export function inAFrame(z, step, most) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const budget = still ? 5 * BUDGET_MS : BUDGET_MS;
  const began = performance.now();
  let steps = 0;
  let arrived;
  do {
    ({ z, arrived } = step(z));
    steps += 1;
    arrived ||= steps >= most;
  } while (!arrived && performance.now() - began < budget);
  return { z, steps, arrived };
}
