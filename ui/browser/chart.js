/** What is drawn on the plane: the prior's rings, the posterior's means. */

/** @import { View } from "./projection.js" */
/** @import { Tint } from "./tint.js" */

import { project } from "./projection.js";
import { named } from "./words.js";

/**
 * @typedef {object} Look
 * @property {boolean} points  Whether the posterior's means are wanted.
 * @property {Tint} tint  What colours them.
 * @property {boolean} overFaces  Whether faces lie behind.
 * @property {string} ink
 * @property {string} cloud  The colour of the means.
 * @property {string} font
 * @property {number} firmness  How much firmer than on plain paper lines are drawn.
 */

/** How much of the prior lies within 1, 2 and 3 deviations, in per cent: of one latent, of two. */
const INSIDE_LINE = ["68", "95", "99.7"];
const INSIDE_DISC = ["39", "86", "98.9"];

const BINS = 56;

/**
 * Draw the chart, and give the names of its rings.
 *
 * @param {CanvasRenderingContext2D} context  Of a canvas that covers the plane.
 * @param {View} view
 * @param {Look} look
 */
export function drawChart(context, view, look) {
  const { side, model } = view;
  const scale = context.canvas.width / side;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, side, side);
  context.shadowColor = look.overFaces ? "black" : "transparent";
  context.shadowBlur = 2 * scale;
  if (look.points && model.latents > 1) drawPosterior(context, view, look);
  const rings = drawPrior(context, view, look);
  drawNames(context, view, look);
  if (look.points && model.latents === 1) drawDensity(context, view, look);
  return rings;
}

/**
 * The axes, and the rings of 1, 2 and 3 standard deviations.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Look} look
 */
function drawPrior(context, { model, side, extent }, { ink, firmness }) {
  const half = side / 2;
  const middle = Math.round(half) + 0.5;
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = 1;
  context.globalAlpha = 0.12 * firmness;
  context.beginPath();
  context.moveTo(middle, 0);
  context.lineTo(middle, side);
  context.moveTo(0, middle);
  context.lineTo(side, middle);
  context.stroke();
  const alone = model.latents === 1;
  const labels = [];
  const unit = half / extent;
  for (const sigmas of [1, 2, 3]) {
    const radius = sigmas * unit;
    context.globalAlpha = (0.34 - 0.06 * sigmas) * firmness;
    context.beginPath();
    if (alone) {
      for (const x of [half - radius, half + radius]) {
        context.moveTo(x, 0);
        context.lineTo(x, side);
      }
    } else {
      context.arc(half, half, radius, 0, 2 * Math.PI);
    }
    context.stroke();
    // Rings too near to each other for a label each, in a plane that goes far, have the last.
    if (unit < 24 && (sigmas < 3 || radius < 24)) continue;
    const diagonal = radius * Math.SQRT1_2;
    const [x, y] = alone ? [half + radius, 20] : [half + diagonal, half - diagonal];
    const inside = (alone ? INSIDE_LINE : INSIDE_DISC)[sigmas - 1];
    labels.push(ringLabel(sigmas, inside, x + 2, y - 14));
  }
  return labels;
}

/**
 * The name of a ring, which says under the pointer what it means.
 *
 * @param {number} sigmas
 * @param {string} inside  How many per cent of the prior's samples lie nearer.
 * @param {number} left
 * @param {number} top
 */
function ringLabel(sigmas, inside, left, top) {
  const label = document.createElement("span");
  label.textContent = `${sigmas}σ`;
  label.title =
    `${sigmas} standard deviation${sigmas > 1 ? "s" : ""} of the prior p(z) from the origin: ` +
    `${inside} % of its samples lie nearer, as seen in this plane`;
  Object.assign(label.style, { left: `${left}px`, top: `${top}px` });
  return label;
}

/**
 * The names of the axes.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Look} look
 */
function drawNames(context, { model, axes, extent, own, side }, { font, firmness }) {
  const middle = Math.round(side / 2) + 0.5;
  const far = extent > own ? ` = ${extent}` : "";
  context.font = font;
  context.globalAlpha = Math.min(1, 0.75 * firmness);
  context.textAlign = "right";
  // Of an axis of the data it is told how much of it there is along it.
  const names = axes.map((axis) => {
    const share = axis < 0 ? model.principal?.shares[-1 - axis] : undefined;
    return named(axis) + (share === undefined ? "" : `, ${Math.round(100 * share)} %`);
  });
  context.fillText(`${names[0]}${far} →`, side - 10, middle - 7);
  context.textAlign = "left";
  if (axes.length > 1) context.fillText(`↑ ${names[1]}`, middle + 7, 17);
  context.globalAlpha = 1;
}

/**
 * The means of the posterior.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Look} look
 */
function drawPosterior(context, view, { overFaces, cloud, tint }) {
  const { model, side } = view;
  const { points, latents } = model;
  const count = points.length / latents;
  context.save();
  const isLabelled = tint.label.codes.length > 0;
  const plain = overFaces || isLabelled ? "white" : cloud;
  context.fillStyle = plain;
  // Few points are drawn firmly, thousands lightly, so that density shows as shade; a colour that
  // means something is drawn as the legend has it.
  context.globalAlpha = isLabelled ? 1 : Math.min(0.95, Math.max(0.5, 36 / Math.sqrt(count)));
  context.shadowColor = "transparent";
  context.strokeStyle = "rgb(0 0 0 / 45%)";
  context.lineWidth = 0.5;
  const radius = Math.max(overFaces ? 1.5 : 1.3, side / (isLabelled ? 200 : 300));
  for (let row = 0; row < points.length; row += latents) {
    if (isLabelled) {
      const colour = tint.colour(row / latents, plain);
      if (!colour) continue;
      context.fillStyle = colour;
    }
    const [x, y] = project(points.subarray(row, row + latents), view);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
    if (overFaces || isLabelled) context.stroke();
  }
  context.restore();
}

/** @param {number} z */
const priorDensity = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

/**
 * The density of some latents in equal bins from -extent to extent.
 *
 * @param {Float32Array} latents
 * @param {number} extent
 */
export function histogram(latents, extent, bins = BINS) {
  const counts = new Float32Array(bins);
  for (const latent of latents) {
    const bin = Math.floor(((latent / extent + 1) / 2) * bins);
    if (bin >= 0 && bin < bins) counts[bin]++;
  }
  const width = (2 * extent) / bins;
  return counts.map((count) => count / latents.length / width || 0);
}

/**
 * With one latent: the posterior's means as a histogram under the prior's density.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Look} look
 */
function drawDensity(context, { model, side, extent }, { cloud, ink }) {
  const heights = histogram(model.points, extent);
  const unit = (side * 0.8) / Math.max(priorDensity(0), ...heights);
  context.fillStyle = cloud;
  context.globalAlpha = 0.6;
  heights.forEach((height, i) => {
    const left = (i * side) / BINS;
    context.fillRect(left, side - height * unit, side / BINS - 1, height * unit);
  });
  context.strokeStyle = ink;
  context.globalAlpha = 0.7;
  context.lineWidth = 1.5;
  context.beginPath();
  for (let x = 0; x <= side; x += 2) {
    context.lineTo(x, side - priorDensity(((2 * x) / side - 1) * extent) * unit);
  }
  context.stroke();
  context.globalAlpha = 1;
}
