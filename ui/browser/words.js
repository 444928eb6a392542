/** How latents are named and their values written. */

/** @param {number} latent  The latent's index. */
export const named = (latent) =>
  `z${String(latent + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)])}`;

/** @param {number} value */
export const written = (value) =>
  (Math.abs(value) < 0.005 ? 0 : value).toFixed(2).replace("-", "−");

/** @param {Float32Array} z */
export const tuple = (z) => `(${[...z].map(written).join(", ")})`;
