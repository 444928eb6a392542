/** The axes of the latent space along which the data varies most. */

/**
 * @typedef {object} Principal
 * @property {Float32Array[]} directions  Two unit vectors, across each other, (K,) each.
 * @property {number[]} shares  Of the variance of the posterior's means, along each.
 * @property {number} reach  The farthest that a mean lies from the origin along one of them.
 */

/** Power iterations: where they have not settled by then, another axis holds nearly as much. */
const MOST_TURNS = 500;
const SETTLED = 1e-7;

/**
 * The first two principal axes of some points; their signs are such that the largest component is
 * positive, or those of axes of before.
 *
 * @param {Float32Array} points  N × K by rows, N > 0.
 * @param {number} latents  K > 1
 * @param {Principal} [before]
 * @returns {Principal}
 */
export function principalAxes(points, latents, before) {
  const covariance = covarianceOf(points, latents);
  let whole = 0;
  for (let k = 0; k < latents; k++) whole += covariance[k * latents + k];
  /** @type {Float64Array[]} */
  const found = [];
  const shares = [];
  for (let which = 0; which < 2; which++) {
    const { direction, variance } = foremost(covariance, latents, found);
    const old = before?.directions[which];
    const sign = old ? dot(direction, old) : largest(direction);
    if (sign < 0) direction.forEach((value, k) => (direction[k] = -value));
    found.push(direction);
    shares.push(whole > 0 ? variance / whole : 0);
  }
  const directions = found.map((direction) => Float32Array.from(direction));
  let reach = 0;
  for (let row = 0; row < points.length; row += latents) {
    const z = points.subarray(row, row + latents);
    for (const direction of directions) reach = Math.max(reach, Math.abs(dot(z, direction)));
  }
  return { directions, shares, reach };
}

/**
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
export function dot(a, b) {
  let sum = 0;
  for (let k = 0; k < b.length; k++) sum += a[k] * b[k];
  return sum;
}

/** @param {Float64Array} direction */
const largest = (direction) =>
  direction.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);

/**
 * @param {Float32Array} points
 * @param {number} latents
 */
function covarianceOf(points, latents) {
  const count = points.length / latents;
  const mean = new Float64Array(latents);
  points.forEach((value, at) => (mean[at % latents] += value / count));
  const covariance = new Float64Array(latents * latents);
  const off = new Float64Array(latents);
  for (let row = 0; row < points.length; row += latents) {
    for (let k = 0; k < latents; k++) off[k] = points[row + k] - mean[k];
    for (let k = 0; k < latents; k++) {
      for (let l = 0; l < latents; l++) covariance[k * latents + l] += (off[k] * off[l]) / count;
    }
  }
  return covariance;
}

/**
 * The direction in which there is most variance of all that lie across the others.
 *
 * @param {Float64Array} covariance
 * @param {number} latents
 * @param {Float64Array[]} others
 */
function foremost(covariance, latents, others) {
  const across = (/** @type {Float64Array} */ vector) => {
    for (const other of others) {
      const along = dot(vector, other);
      for (let k = 0; k < latents; k++) vector[k] -= along * other[k];
    }
    return Math.hypot(...vector);
  };
  // Where nothing varies, any direction is as good: the first that lies across the others.
  let direction = new Float64Array(latents);
  for (let k = 0; k < latents; k++) {
    const start = Float64Array.from({ length: latents }, (_, l) => (l === k ? 1 : 1e-3));
    const length = across(start);
    if (length < 0.1) continue;
    direction = start.map((value) => value / length);
    break;
  }
  let variance = 0;
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const next = new Float64Array(latents);
    for (let k = 0; k < latents; k++) {
      next[k] = dot(covariance.subarray(k * latents, (k + 1) * latents), direction);
    }
    variance = across(next);
    if (variance < 1e-12) break;
    let moved = 0;
    for (let k = 0; k < latents; k++) {
      moved = Math.max(moved, Math.abs(next[k] / variance - direction[k]));
      direction[k] = next[k] / variance;
    }
    if (moved < SETTLED) break;
  }
  return { direction, variance };
}
