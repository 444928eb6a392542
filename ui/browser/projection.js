/** Between the latent space and the plane's pixels. */

/** @import { Model } from "./model.js" */

import { dot } from "./principal.js";

/**
 * The plane's axes: latents by their index, or these two, along which the data varies most.
 */
export const DATA_AXES = [-1, -2];

/** @typedef {Pick<Model, "principal">} Holder  Of the data's axes, if somebody has asked for them. */

/**
 * The direction of an axis of the data.
 *
 * @param {number} axis
 * @param {Holder | undefined} model
 */
function directionOf(axis, model) {
  const direction = model?.principal?.directions[-1 - axis];
  if (!direction) throw new TypeError("Nobody has found this model's axes of the data.");
  return direction;
}

/**
 * How far a latent point lies along an axis.
 *
 * @param {ArrayLike<number>} z
 * @param {number} axis
 * @param {Holder} [model]  Needed of an axis of the data.
 */
export const placeAlong = (z, axis, model) => (axis < 0 ? dot(z, directionOf(axis, model)) : z[axis]);

/**
 * Move a latent point to a place along an axis; what lies across that stays.
 *
 * @param {Float32Array} z  It moves.
 * @param {number} axis
 * @param {number} place
 * @param {Holder} [model]
 */
export function moveAlong(z, axis, place, model) {
  if (axis >= 0) {
    z[axis] = place;
    return;
  }
  const direction = directionOf(axis, model);
  const step = place - dot(z, direction);
  for (let k = 0; k < z.length; k++) z[k] += step * direction[k];
}

/** How far planes may be apart that are the same but for rounding. */
const SAME = 1e-4;

/**
 * Whether the plane through a point is also that through another.
 *
 * @param {Float32Array} z
 * @param {Float32Array} other
 * @param {number[]} axes
 * @param {Holder} [model]
 */
export function isSamePlane(z, other, axes, model) {
  const difference = z.map((latent, k) => latent - other[k]);
  for (const axis of axes) moveAlong(difference, axis, 0, model);
  return difference.every((latent) => Math.abs(latent) < SAME);
}

/**
 * The standard deviation of independent latents along an axis.
 *
 * @param {ArrayLike<number>} deviation  (K,)
 * @param {number} axis
 * @param {Holder} [model]
 */
export const deviationAlong = (deviation, axis, model) =>
  axis < 0
    ? Math.hypot(...directionOf(axis, model).map((share, k) => share * deviation[k]))
    : deviation[axis];

/**
 * @typedef {object} View  What a plane shows of the latent space.
 * @property {Model} model
 * @property {number[]} axes  The latents that run across and upwards, or `DATA_AXES`; only across
 *   where K = 1.
 * @property {number} extent  The plane's half-width, in standard deviations of the prior.
 * @property {number} own  The extent that the model's data ask for.
 * @property {number} side  The plane's side in CSS pixels.
 */

/**
 * CSS pixels from the plane's left or bottom edge.
 *
 * @param {number} latent
 * @param {{extent: number, side: number}} plane
 */
export const toPixels = (latent, { extent, side }) => ((latent / extent + 1) / 2) * side;

/**
 * Where a latent point lies, in CSS pixels from the plane's left and top edges.
 *
 * @param {ArrayLike<number>} z
 * @param {{axes: number[], extent: number, side: number, model?: Holder}} plane
 * @returns {[number, number]}
 */
export function project(z, plane) {
  const [across, up] = plane.axes;
  const height = toPixels(up === undefined ? 0 : placeAlong(z, up, plane.model), plane);
  return [toPixels(placeAlong(z, across, plane.model), plane), plane.side - height];
}

/**
 * How far along the two axes a place of the window is, kept within the plane.
 *
 * @param {{clientX: number, clientY: number}} place
 * @param {{left: number, top: number, width: number, height: number}} box  The plane's.
 * @param {number} extent
 * @returns {[number, number]}
 */
export function unproject({ clientX, clientY }, box, extent) {
  /** @param {number} share */
  const within = (share) => Math.min(1, Math.max(-1, share)) * extent;
  return [
    within((2 * (clientX - box.left)) / box.width - 1),
    within(1 - (2 * (clientY - box.top)) / box.height),
  ];
}

/**
 * The extent at which some points are in sight: the model's own, or wider.
 *
 * @param {number} own
 * @param {ArrayLike<number>[]} points
 */
export function extentFor(own, points) {
  const reach = Math.max(...points.map((z) => Math.max(...Array.from(z, Math.abs))));
  // A little more than z, so that the cursor is not cut by the edge.
  return reach <= own ? own : Math.ceil(1.15 * reach);
}

/**
 * The axes once one of them has been chosen; the axis that had that latent takes the other's.
 *
 * @param {number[]} axes
 * @param {number} axis
 * @param {number} latent
 */
export function withAxis(axes, axis, latent) {
  const chosen = [...axes];
  if (chosen[1 - axis] === latent) chosen[1 - axis] = axes[axis];
  chosen[axis] = latent;
  return chosen;
}
