/** The manifold behind the plane: the face that the decoder draws at each place of it. */

/** @import { View } from "./projection.js" */

import { contextOf, find } from "./dom.js";
import { drawMean } from "./paint.js";
import { isSamePlane, moveAlong } from "./projection.js";

/** What the painting may take of a frame. */
const SLICE_MS = 5;

/** Where the strip of faces begins with one latent, below the names of the rings. */
const STRIP_TOP = 26;

/**
 * @typedef {object} Cells
 * @property {number} columns
 * @property {number} rows
 * @property {number} wide  A cell's width, in CSS pixels.
 * @property {number} tall  A cell's height.
 * @property {number} top  Where the first row begins.
 */

/**
 * Cells of about a face's proportions; with one latent, a strip of faces above the density.
 *
 * @param {View} view
 * @returns {Cells}
 */
export function cellsOf({ model, axes, side }) {
  const [height, width] = model.shape;
  const columns = Math.max(8, Math.min(24, Math.round(side / 26)));
  const wide = side / columns;
  if (axes.length === 1) {
    return { columns, rows: 1, wide, tall: (wide * height) / width, top: STRIP_TOP };
  }
  const rows = Math.max(1, Math.round((columns * width) / height));
  return { columns, rows, wide, tall: side / rows, top: 0 };
}

/**
 * Move z to the middle of a cell; what lies across the plane stays.
 *
 * @param {Float32Array} z
 * @param {View} view
 * @param {Cells} cells
 * @param {number} column
 * @param {number} row
 */
export function moveToCell(z, { axes, extent, model }, { columns, rows }, column, row) {
  moveAlong(z, axes[0], ((2 * column + 1) / columns - 1) * extent, model);
  if (axes.length > 1) moveAlong(z, axes[1], (1 - (2 * row + 1) / rows) * extent, model);
}

export class Manifold {
  frame = 0;
  again = false;

  /** @type {{view: View, pixels: number, z: Float32Array} | undefined}  Asked for at last. */
  wanted;

  /** @type {{view: View, cells: Cells, z: Float32Array, next: number} | undefined} */
  painting;

  /** @param {ParentNode} root */
  constructor(root) {
    this.canvas = find(root, ".manifold", HTMLCanvasElement);
    this.context = contextOf(this.canvas);
    this.thumbnail = document.createElement("canvas");
  }

  /**
   * Paint the manifold through z, unless that is what is there or under way: a face in each cell,
   * a few in every frame, over what was there before.
   *
   * @param {View | undefined} view
   * @param {Float32Array} z
   */
  show(view, z) {
    if (!view || this.isWanted(view, z)) return;
    this.wanted = { view, pixels: this.canvas.width, z: Float32Array.from(z) };
    // A painting under way is finished first: one that always began again would never end.
    if (!this.frame || view.model !== this.painting?.view.model) this.begin();
    else this.again = true;
  }

  /**
   * @param {View} view
   * @param {Float32Array} z
   */
  isWanted({ model, axes, extent, side }, z) {
    if (!this.wanted) return false;
    const { view, pixels, z: through } = this.wanted;
    return (
      model === view.model &&
      extent === view.extent &&
      side === view.side &&
      pixels === this.canvas.width &&
      axes.every((k, i) => k === view.axes[i]) &&
      isSamePlane(z, through, axes, model)
    );
  }

  begin() {
    this.stop();
    this.again = false;
    if (!this.wanted) return;
    const { view, z } = this.wanted;
    const cells = cellsOf(view);
    this.painting = { view, cells, z: Float32Array.from(z), next: 0 };
    if (cells.rows === 1) this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    if (!this.painting) return;
    const { context, painting, thumbnail } = this;
    const { view, cells, z } = painting;
    const { columns, rows, wide, tall, top } = cells;
    const end = performance.now() + SLICE_MS;
    const scale = this.canvas.width / view.side;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.imageSmoothingQuality = "high";
    for (; painting.next < columns * rows && performance.now() < end; painting.next++) {
      const column = painting.next % columns;
      const row = Math.floor(painting.next / columns);
      moveToCell(z, view, cells, column, row);
      drawMean(thumbnail, view.model, z);
      context.drawImage(thumbnail, column * wide, top + row * tall, wide, tall);
    }
    if (painting.next < columns * rows) this.frame = requestAnimationFrame(() => this.paint());
    else if (this.again) this.begin();
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }
}
