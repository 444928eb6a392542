/** Framing: where a frame lies on a photo, and where the photo lies under the frame. */

/**
 * @typedef {object} Frame
 * @property {number} x  Its middle, in shares of the photo's width.
 * @property {number} y  Its middle, in shares of the photo's height.
 * @property {number} width  In shares of the photo's width.
 */

/** @typedef {{left: number, top: number, width: number, height: number}} Box  In CSS pixels. */

/** @typedef {{widest: number, closest: number}} Zoom  A frame's widths, farthest and nearest. */

/** Of the stage's side, what the frame's longer side takes. */
const SHARE = 0.78;

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * The width of a frame at a place of the zoom's slider, from 0 to 1.
 *
 * @param {number} at
 * @param {Zoom} zoom
 */
export const widthAt = (at, { widest, closest }) => widest * (closest / widest) ** at;

/**
 * Where on the zoom's slider a frame's width lies.
 *
 * @param {number} width
 * @param {Zoom} zoom
 */
export const zoomOf = (width, { widest, closest }) =>
  Math.log(width / widest) / Math.log(closest / widest);

/**
 * The frame in the middle of a square stage.
 *
 * @param {number} stage  The stage's side, in CSS pixels.
 * @param {number} aspect  The frame's width in shares of its height.
 * @returns {Box}
 */
export function boxOf(stage, aspect) {
  const side = stage * SHARE;
  const width = Math.min(side, side * aspect);
  const height = width / aspect;
  return { width, height, left: (stage - width) / 2, top: (stage - height) / 2 };
}

/**
 * Where a photo lies so that the frame shows its part of it.
 *
 * @param {Frame} frame
 * @param {Box} box  The frame's.
 * @param {number} wide  The photo's width in pixels.
 * @param {number} tall  The photo's height.
 */
export function photoUnder({ x, y, width }, box, wide, tall) {
  const scale = box.width / (width * wide);
  return {
    scale,
    left: box.left + box.width / 2 - x * wide * scale,
    top: box.top + box.height / 2 - y * tall * scale,
  };
}
