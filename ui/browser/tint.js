/** What colours the points by: a label of each, its legend, and which of its values are wanted. */

import { find } from "./dom.js";
import { project } from "./projection.js";

/** @import { View } from "./projection.js" */

/**
 * @typedef {object} Label  A label of the points, as Python sends it.
 * @property {string} name  Text that may come from a stranger, as all text here.
 * @property {number[]} codes  Of each point, which entry of the legend it belongs to; −1 for none.
 * @property {[string, string][]} legend  Each entry's text and colour.
 * @property {number[]} values  Of each point, which of the words it has; −1 where it is unknown.
 * @property {string[]} words
 */

/** Pixels from the pointer within which a point tells its value. */
const NEAR = 8;

/** @type {Label} */
const NONE = { name: "", codes: [], legend: [], values: [], words: [] };

export class Tint {
  label = NONE;

  /** @type {Set<number>}  The entries that are wanted alone; all where there is none. */
  only = new Set();

  /**
   * @param {ParentNode} root
   * @param {() => void} redraw  Called when other points are wanted.
   */
  constructor(root, redraw) {
    this.key = find(root, ".key", HTMLElement);
    this.hover = find(root, ".hover", HTMLElement);
    this.redraw = redraw;
  }

  /** @param {Label | undefined} label  None where the points are all of one colour. */
  adopt(label = NONE) {
    if (label === this.label) return;
    if (label.name !== this.label.name) this.only.clear();
    this.label = label;
    this.hover.hidden = true;
    this.key.hidden = !label.legend.length;
    const title = document.createElement("b");
    title.textContent = label.name;
    this.key.replaceChildren(title, ...label.legend.map((entry, code) => this.entry(entry, code)));
  }

  /**
   * A line of the legend: a button that has these points shown alone, or again with the others.
   *
   * @param {[string, string]} entry
   * @param {number} code
   */
  entry([text, colour], code) {
    const button = document.createElement("button");
    const swatch = document.createElement("i");
    swatch.style.background = colour;
    button.type = "button";
    button.title = "Show these points alone, or with those that are shown";
    button.append(swatch, text);
    const tell = () => button.setAttribute("aria-pressed", String(this.only.has(code)));
    button.addEventListener("click", () => {
      if (!this.only.delete(code)) this.only.add(code);
      tell();
      this.key.classList.toggle("some", this.only.size > 0);
      this.redraw();
    });
    tell();
    return button;
  }

  /**
   * A point's colour; nothing where it is not to be drawn.
   *
   * @param {number} row
   * @param {string} plain  The colour of a point whose label is unknown.
   */
  colour(row, plain) {
    const code = this.label.codes[row] ?? -1;
    if (this.only.size && !this.only.has(code)) return undefined;
    return this.label.legend[code]?.[1] ?? plain;
  }

  /**
   * Tell the value of the point under a pointer.
   *
   * @param {{clientX: number, clientY: number}} place
   * @param {DOMRect} box  The plane's.
   * @param {View | undefined} view  Where points are drawn.
   */
  point({ clientX, clientY }, box, view) {
    const isDrawn = (/** @type {number} */ which) => this.colour(which, "none") !== undefined;
    const place = /** @type {[number, number]} */ ([clientX - box.left, clientY - box.top]);
    const row = view && this.label.words.length ? nearest(place, view, isDrawn) : -1;
    this.hover.hidden = row < 0;
    if (row < 0) return;
    const { name, words, values } = this.label;
    this.hover.textContent = `${name}: ${words[values[row]] ?? "not known"}`;
    const [left] = place;
    const right = left > box.width / 2;
    this.hover.style.left = right ? "" : `${left + 12}px`;
    this.hover.style.right = right ? `${box.width - left + 12}px` : "";
    this.hover.style.top = `${Math.max(2, clientY - box.top - 26)}px`;
  }
}

/**
 * The point of the posterior that is drawn nearest to a place; −1 where none is near.
 *
 * @param {[number, number]} place  In CSS pixels of the plane.
 * @param {View} view
 * @param {(row: number) => boolean} isDrawn
 */
export function nearest([left, top], view, isDrawn) {
  const { points, latents } = view.model;
  let best = -1;
  let least = NEAR ** 2;
  for (let row = 0; row * latents < points.length; row++) {
    const [x, y] = project(points.subarray(row * latents, (row + 1) * latents), view);
    const distance = (x - left) ** 2 + (y - top) ** 2;
    if (distance < least && isDrawn(row)) {
      best = row;
      least = distance;
    }
  }
  return best;
}
