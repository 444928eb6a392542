/** How latents are named and their values written. */

/** @param {number} axis  A latent's index; below 0, an axis of the data. */
export const named = (axis) =>
  axis < 0
    ? `data ${-axis}`
    : `z${String(axis + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)])}`;

/** @param {number} value */
export const written = (value) =>
  (Math.abs(value) < 0.005 ? 0 : value).toFixed(2).replace("-", "−");

/** @param {Float32Array} z */
export const tuple = (z) => `(${[...z].map(written).join(", ")})`;
