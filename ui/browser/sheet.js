/** The sheet: faces on a grid that is even in probability, the paper's Figure 4, to zoom into. */

/** @import { Model } from "./model.js" */

import { contextOf, find } from "./dom.js";
import { drawMean } from "./paint.js";
import { isSamePlane, moveAlong } from "./projection.js";
import { tuple } from "./words.js";

/** The prior's probability left out at either end of each latent. */
const TAIL = 0.05;

/** What the painting may take of a frame. */
const SHEET_MS = 8;

/** Pixels of a canvas that every browser draws, phones too. */
const MOST_PIXELS = 16e6;

const CLOSEST = 12;
const ZOOM_STEP = 1.5;

/** A pointer that moves less has clicked. */
const CLICK_PX = 5;

/**
 * The standard normal's quantile, by Peter Acklam's rational approximation: its relative error is
 * under 1.2e-9.
 *
 * @param {number} p  In (0, 1).
 * @returns {number}
 */
export function quantile(p) {
  if (p > 0.5) return -quantile(1 - p);
  const c = [
    -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734,
    4.374664141464968, 2.938163982698783,
  ];
  const d = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1];
  const a = [
    -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2,
    -3.066479806614716e1, 2.506628277459239,
  ];
  const b = [
    -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1,
    -1.328068155288572e1, 1,
  ];
  /**
   * @param {number[]} terms
   * @param {number} x
   */
  const polynomial = (terms, x) => terms.reduce((sum, term) => sum * x + term, 0);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return polynomial(c, q) / polynomial(d, q);
  }
  const q = p - 0.5;
  return (q * polynomial(a, q * q)) / polynomial(b, q * q);
}

/**
 * Coordinates evenly spaced in probability.
 *
 * @param {number} count
 */
export const sheetAxis = (count) =>
  Array.from({ length: count }, (_, i) =>
    count > 1 ? quantile(TAIL + (i * (1 - 2 * TAIL)) / (count - 1)) : 0,
  );

export class Sheet {
  frame = 0;
  zoom = 1;
  count = 20;

  /** How many faces are painted. */
  place = 0;

  /** @type {number[]} */
  axis = [];

  /** @type {{model: Model, axes: number[], z: Float32Array} | undefined} */
  shown;

  /**
   * @param {ParentNode} root
   * @param {(z: Float32Array) => void} onChoose  Somebody wants to see a face closely.
   */
  constructor(root, onChoose) {
    this.window = find(root, ".sheet", HTMLElement);
    this.canvas = find(root, ".sheet canvas", HTMLCanvasElement);
    this.readout = find(root, ".sheet-readout", HTMLElement);
    this.context = contextOf(this.canvas);
    this.select = find(root, "[name=count]", HTMLSelectElement);
    this.onChoose = onChoose;
    this.thumbnail = document.createElement("canvas");
    this.visible = false;
    new IntersectionObserver((entries) => {
      this.visible = entries.some(({ isIntersecting }) => isIntersecting);
      if (this.visible) this.begin();
    }).observe(this.window);
    this.listen(root);
  }

  /** @param {ParentNode} root */
  listen(root) {
    this.select.addEventListener("change", () => {
      this.count = Number(this.select.value);
      this.again();
    });
    const closer = find(root, "[name=closer]", HTMLButtonElement);
    const farther = find(root, "[name=farther]", HTMLButtonElement);
    closer.addEventListener("click", () => this.magnify(ZOOM_STEP));
    farther.addEventListener("click", () => this.magnify(1 / ZOOM_STEP));
    this.buttons = { closer, farther };
    const turn = (/** @type {WheelEvent} */ event) => {
      // As on a map in a page: the wheel alone scrolls on.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.magnify(Math.exp(-event.deltaY * 0.01), event);
    };
    this.window.addEventListener("wheel", turn, { passive: false });
    this.window.addEventListener("keydown", (event) => {
      if (event.key === "+" || event.key === "=") this.magnify(ZOOM_STEP);
      else if (event.key === "-") this.magnify(1 / ZOOM_STEP);
      else if (event.key === "0") this.magnify(1 / this.zoom);
      else return;
      event.preventDefault();
    });
    this.listenToPointers();
  }

  listenToPointers() {
    /** @type {Map<number, PointerEvent>} */
    const down = new Map();
    let moved = 0;
    this.window.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      if (!down.size) moved = 0;
      down.set(event.pointerId, event);
    });
    this.window.addEventListener("pointermove", (event) => {
      this.tell(event);
      const before = down.get(event.pointerId);
      if (!before) return;
      const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
      moved += Math.hypot(dx, dy);
      // Fingers scroll by themselves.
      if (event.pointerType === "mouse" && moved > CLICK_PX) {
        this.window.setPointerCapture(event.pointerId);
        this.window.scrollBy(-dx, -dy);
      }
      if (down.size === 2) {
        const [one, other] = down.values();
        const span = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
        down.set(event.pointerId, event);
        const [a, b] = down.values();
        const now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
        if (span > 20 && now > 20) this.magnify(now / span, event);
      }
      down.set(event.pointerId, event);
    });
    this.window.addEventListener("pointerup", (event) => {
      const z = down.delete(event.pointerId) && moved < CLICK_PX ? this.at(event) : undefined;
      if (z) this.onChoose(z);
    });
    this.window.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
    this.window.addEventListener("pointerleave", () => (this.readout.textContent = ""));
  }

  /** Faces across and down. */
  get grid() {
    const columns = this.count;
    return { columns, rows: this.shown && this.shown.model.latents > 1 ? columns : 1 };
  }

  /**
   * Show a model's sheet through z: with two latents it is always the same.
   *
   * @param {Model} model
   * @param {number[]} axes
   * @param {Float32Array} z
   */
  show(model, axes, z) {
    const { shown } = this;
    const same =
      shown?.model === model &&
      axes.every((k, i) => k === shown.axes[i]) &&
      isSamePlane(z, shown.z, axes, model);
    if (same) return;
    if (shown?.model !== model) this.fit(model);
    this.shown = { model, axes: [...axes], z: Float32Array.from(z) };
    this.again();
  }

  /**
   * Offer as many faces a side as a canvas holds.
   *
   * @param {Model} model
   */
  fit(model) {
    const [height, width] = model.shape;
    const most = Math.sqrt(MOST_PIXELS / (height * width));
    for (const option of this.select.options) {
      option.disabled = Number(option.value) > Math.max(most, 10);
    }
    const offered = [...this.select.options].filter((option) => !option.disabled);
    if (this.select.selectedOptions[0]?.disabled) {
      this.select.value = offered[offered.length - 1].value;
    }
    this.count = Number(this.select.value);
  }

  /** Forget what is painted, and paint it if it is in sight. */
  again() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.place = 0;
    if (!this.shown) return;
    const { columns, rows } = this.grid;
    const [height, width] = this.shown.model.shape;
    Object.assign(this.canvas, { width: columns * width, height: rows * height });
    const aspect = (columns * width) / (rows * height);
    this.window.style.setProperty("--sheet-aspect", String(aspect));
    this.axis = sheetAxis(columns);
    this.canvas.dataset.state = "waiting";
    this.resize();
    if (this.visible) this.begin();
  }

  begin() {
    if (!this.frame && this.shown && this.canvas.dataset.state === "waiting") this.paint();
  }

  paint() {
    this.frame = 0;
    if (!this.shown) return;
    const { model } = this.shown;
    const [height, width] = model.shape;
    const { columns, rows } = this.grid;
    const end = performance.now() + SHEET_MS;
    for (; this.place < columns * rows && performance.now() < end; this.place++) {
      const [column, row] = [this.place % columns, Math.floor(this.place / columns)];
      drawMean(this.thumbnail, model, this.point(column, row));
      this.context.drawImage(this.thumbnail, column * width, row * height);
    }
    if (this.place < columns * rows) this.frame = requestAnimationFrame(() => this.paint());
    else this.canvas.dataset.state = "painted";
  }

  /**
   * The latent point of a face; the first row has the largest value of the latent upwards.
   *
   * @param {number} column
   * @param {number} row
   */
  point(column, row) {
    const { axes, z: through, model } = /** @type {NonNullable<typeof this.shown>} */ (this.shown);
    const z = Float32Array.from(through);
    moveAlong(z, axes[0], this.axis[column], model);
    if (model.latents > 1) moveAlong(z, axes[1], this.axis[this.grid.rows - 1 - row], model);
    return z;
  }

  /**
   * The latent point under a pointer, if there is one.
   *
   * @param {{clientX: number, clientY: number}} event
   */
  at({ clientX, clientY }) {
    if (!this.shown) return undefined;
    const box = this.canvas.getBoundingClientRect();
    const { columns, rows } = this.grid;
    const column = Math.floor(((clientX - box.left) / box.width) * columns);
    const row = Math.floor(((clientY - box.top) / box.height) * rows);
    const inside = column >= 0 && column < columns && row >= 0 && row < rows;
    return inside ? this.point(column, row) : undefined;
  }

  /** @param {PointerEvent} event */
  tell(event) {
    const z = event.pointerType === "mouse" ? this.at(event) : undefined;
    this.readout.textContent = z ? `z = ${tuple(z)}` : "";
  }

  /**
   * Zoom about a place of the window, or its middle.
   *
   * @param {number} factor
   * @param {{clientX: number, clientY: number}} [place]
   */
  magnify(factor, place) {
    const before = this.zoom;
    this.zoom = Math.min(CLOSEST, Math.max(1, this.zoom * factor));
    const box = this.window.getBoundingClientRect();
    const x = place ? place.clientX - box.left : box.width / 2;
    const y = place ? place.clientY - box.top : box.height / 2;
    const { scrollLeft, scrollTop } = this.window;
    const scale = this.zoom / before;
    this.resize();
    this.window.scrollLeft = (scrollLeft + x) * scale - x;
    this.window.scrollTop = (scrollTop + y) * scale - y;
  }

  resize() {
    this.canvas.style.width = `${100 * this.zoom}%`;
    this.window.classList.toggle("zoomed", this.zoom > 1);
    if (!this.buttons) return;
    this.buttons.closer.disabled = this.zoom >= CLOSEST;
    this.buttons.farther.disabled = this.zoom <= 1;
  }
}
