/** The balance of a face: ELBO, KL divergence and gap as one stacked bar, on a scale that follows. */

/** @import { Terms } from "./bound.js" */

import { contextOf } from "./dom.js";

/** The widths that the scale may have, in nats. */
const WIDTHS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7];

/**
 * The part of the scale to show: it holds the highest figure at its right and the ELBO at its left,
 * with room on either side.
 *
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
export function scaleFor(low, high) {
  const span = Math.max(4, 1.35 * (high - low));
  const width = WIDTHS.find((each) => each >= span) ?? span;
  const right = high + 0.12 * width;
  return [right - width, right];
}

/** A figure as people read it. @param {number} value */
export const nats = (value, digits = 1) => {
  const told = Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value;
  const shown = told.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return shown.replace("-", "−");
};

/**
 * Draw the bar: above the ELBO and the KL divergence, which end at E_q[log p(x|z)]; below the ELBO
 * and the gap, which end at log p(x).
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Record<string, string>} palette
 * @param {Terms} terms
 * @param {number | undefined} logPx
 */
export function drawBalance(canvas, palette, { logLikelihood, kl, elbo }, logPx) {
  const [wide, tall] = [canvas.clientWidth, canvas.clientHeight];
  if (!wide) return;
  const scale = devicePixelRatio;
  const [width, height] = [Math.round(wide * scale), Math.round(tall * scale)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = contextOf(canvas);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, wide, tall);
  const [from, to] = scaleFor(elbo, Math.max(logLikelihood, logPx ?? logLikelihood));
  /** @param {number} value */
  const x = (value) => (wide * (value - from)) / (to - from);
  const bar = Math.min(30, (tall - 62) / 2);
  const rows = [24, 24 + bar + 3];
  context.font = `12px ${palette.font}`;
  context.textBaseline = "middle";

  context.fillStyle = palette.accent;
  context.globalAlpha = 0.9;
  for (const top of rows) context.fillRect(0, top, Math.max(0, x(elbo)), bar);
  context.fillStyle = palette.amber;
  context.fillRect(x(elbo), rows[0], x(elbo + kl) - x(elbo), bar);
  if (logPx !== undefined) {
    context.fillStyle = palette.warm;
    context.globalAlpha = 0.85;
    context.fillRect(x(elbo), rows[1], Math.max(0, x(logPx) - x(elbo)), bar);
  }
  context.globalAlpha = 1;
  // The bars begin far to the left of what is shown.
  context.strokeStyle = palette.paper;
  context.lineWidth = 3;
  context.beginPath();
  for (const left of [10, 16]) {
    context.moveTo(left + 4, rows[0] - 3);
    context.lineTo(left - 4, rows[1] + bar + 3);
  }
  context.stroke();

  /**
   * @param {string} text
   * @param {number} at
   * @param {number} y
   * @param {string} colour
   */
  const name = (text, at, y, colour) => {
    const half = context.measureText(text).width / 2;
    context.fillStyle = colour;
    context.textAlign = "center";
    context.fillText(text, Math.min(wide - half - 1, Math.max(half + 1, at)), y);
  };
  context.strokeStyle = palette.ink;
  context.lineWidth = 1.5;
  /**
   * @param {number} at
   * @param {number} top
   * @param {number} bottom
   */
  const tick = (at, top, bottom) => {
    context.beginPath();
    context.moveTo(at, top);
    context.lineTo(at, bottom);
    context.stroke();
  };
  tick(x(logLikelihood), rows[0] - 6, rows[0] + bar);
  name("E[log p(x|z)]", x(logLikelihood), 10, palette.ink);
  const foot = rows[1] + bar;
  if (logPx !== undefined) {
    tick(x(logPx), rows[1], foot + 6);
    name("log p(x)", x(logPx), foot + 14, palette.ink);
  }
  /**
   * @param {string} text
   * @param {number} left
   * @param {number} right
   * @param {number} row
   */
  const inside = (text, left, right, row) => {
    context.font = `600 12px ${palette.font}`;
    context.textAlign = "center";
    context.fillStyle = palette.paper;
    if (context.measureText(text).width + 12 > right - left) return;
    context.fillText(text, (left + right) / 2, row + bar / 2 + 1);
  };
  rows.forEach((row) => inside("ELBO", 20, x(elbo), row));
  inside("KL(q ‖ p(z))", x(elbo), x(logLikelihood), rows[0]);
  if (logPx !== undefined) inside("KL(q ‖ p(z|x))", x(elbo), x(logPx), rows[1]);
  // How much a piece of the scale is.
  const unit = (to - from) / 5;
  const power = 10 ** Math.floor(Math.log10(unit));
  const length = [5, 2, 1].map((n) => n * power).find((n) => n <= unit) ?? power;
  context.font = `11px ${palette.font}`;
  const end = (wide * length) / (to - from);
  context.strokeStyle = context.fillStyle = palette.quiet;
  context.lineWidth = 1;
  tick(1, foot + 10, foot + 18);
  tick(end, foot + 10, foot + 18);
  context.beginPath();
  context.moveTo(1, foot + 14);
  context.lineTo(end, foot + 14);
  context.stroke();
  context.textAlign = "left";
  context.fillText(`${length.toLocaleString("en")} nats`, end + 6, foot + 14);
}
