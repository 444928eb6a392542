/** What the end of a page's address says: the model, the point, the pins and the axes. */

import { DATA_AXES } from "./projection.js";

/**
 * @typedef {object} Wish
 * @property {string} [model]
 * @property {number[]} [z]
 * @property {number[][]} [pins]
 * @property {number[]} [axes]  Indices.
 */

/** A point further out is a slip of the pen. */
const FARTHEST = 1e6;

/**
 * A point's numbers, or nothing where it is none.
 *
 * @param {string} text
 */
function pointOf(text) {
  const z = text.split(",").map((number) => (number.trim() ? Number(number) : NaN));
  return z.every((latent) => Math.abs(latent) <= FARTHEST) ? z : undefined;
}

/**
 * What an address asks for; what is no number asks for nothing.
 *
 * @param {string} hash  With or without its sign.
 * @returns {Wish}
 */
export function readLink(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  /** @type {Wish} */
  const wish = {};
  const model = said.get("model");
  if (model) wish.model = model;
  const z = pointOf(said.get("z") ?? "");
  if (z) wish.z = z;
  const pins = (said.get("pins") ?? "").split(";").map(pointOf);
  const good = /** @type {number[][]} */ (pins.filter(Boolean));
  if (good.length) wish.pins = good;
  const told = said.get("axes") ?? "";
  const axes = told === "data" ? [...DATA_AXES] : pointOf(told)?.map((axis) => axis - 1);
  if (axes) wish.axes = axes;
  return wish;
}

/**
 * The part of a wish that a model of K latents can grant, and whether that is all of it.
 *
 * @param {Wish} wish
 * @param {number} latents  K
 * @returns {{granted: Wish, whole: boolean}}
 */
export function fitting({ z, pins, axes }, latents) {
  /** @type {Wish} */
  const granted = {};
  if (z?.length === latents) granted.z = z;
  const fits = pins?.filter((pin) => pin.length === latents);
  if (fits?.length) granted.pins = fits;
  const isAxis = (/** @type {number} */ k) => Number.isInteger(k) && k >= 0 && k < latents;
  const isData = latents > 2 && DATA_AXES.every((axis, i) => axes?.[i] === axis);
  const areLatents = axes?.every(isAxis) && axes[0] !== axes[1];
  if (axes?.length === 2 && (isData || areLatents)) granted.axes = axes;
  const whole =
    Boolean(z) === Boolean(granted.z) &&
    pins?.length === granted.pins?.length &&
    Boolean(axes) === Boolean(granted.axes);
  return { granted, whole };
}

/** @param {number[]} z */
const point = (z) => z.map((latent) => String(Number(latent.toFixed(3)) + 0)).join(",");

/**
 * The end of an address that says where a pad is: what differs from the ordinary alone.
 *
 * @param {Wish} wish
 */
export function writtenLink({ model, z = [], pins = [], axes = [] }) {
  const parts = [];
  if (model) parts.push(`model=${encodeURIComponent(model)}`);
  parts.push(`z=${point(z)}`);
  if (pins.length) parts.push(`pins=${pins.map(point).join(";")}`);
  if (axes[0] < 0) parts.push("axes=data");
  else if (axes.some((k, i) => k !== i)) parts.push(`axes=${axes.map((k) => k + 1).join(",")}`);
  return `#${parts.join("&")}`;
}
