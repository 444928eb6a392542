/** Between the latent space and the plane's pixels. */

/** @import { Model } from "./model.js" */

/**
 * @typedef {object} View  What a plane shows of the latent space.
 * @property {Model} model
 * @property {number[]} axes  The latents that run across and upwards; only across where K = 1.
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
 * @param {{axes: number[], extent: number, side: number}} plane
 * @returns {[number, number]}
 */
export function project(z, plane) {
  const [across, up] = plane.axes;
  const height = toPixels(up === undefined ? 0 : z[up], plane);
  return [toPixels(z[across], plane), plane.side - height];
}

/**
 * The two latents at a place of the window, kept within the plane.
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
 * @param {Float32Array[]} points
 */
export function extentFor(own, points) {
  const reach = Math.max(...points.map((z) => Math.max(...z.map(Math.abs))));
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
