/** The field: the plane of two latents as the lesson shows it, to look at closely and to touch. */

import { contextOf } from "./dom.js";

/** @typedef {[number, number]} Spot  In CSS pixels of the field, or in latents. */

/**
 * @typedef {object} Touch  What a person holds.
 * @property {(z: Spot, at: Spot) => void} move
 * @property {() => void} [end]
 */

/** As near as this, in CSS pixels, something is under a finger or the mouse. */
export const NEAR = 22;

/** Where the arrow keys lead on the plane. @type {Record<string, Spot>} */
export const COMPASS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/** The closest that one can look, and how long it takes to go there. */
const CLOSEST = 0.02;
const GLIDE_MS = 450;

/** A look that is closer than this, of the whole, has a small map in its corner. */
const MAP_FROM = 0.6;

export class Field {
  /** @type {(context: CanvasRenderingContext2D) => void} */
  onDraw = () => {};

  /** @type {() => void}  What lies behind the points is to be drawn. */
  onUnder = () => {};

  /** @type {(at: Spot, z: Spot) => Touch | undefined} */
  onPress = () => undefined;

  /** @type {(event: KeyboardEvent) => boolean}  Whether a key meant something. */
  onKey = () => false;

  /** @type {(at: Spot | undefined, z: Spot) => void} */
  onHover = () => {};

  /** @type {Float32Array | number[]}  Points of the data, two numbers each. */
  points = [];

  /** Their colour, by its name in the palette, and how strong it is. */
  tone = "cloud";
  strength = 0.55;

  side = 0;
  frame = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Record<string, string>} palette  Colours by their names.
   * @param {number} extent  The half-width of the whole plane.
   */
  constructor(canvas, palette, extent) {
    this.canvas = canvas;
    this.palette = palette;
    this.context = contextOf(canvas);
    this.extent = extent;
    this.camera = { x: 0, y: 0, half: extent };
    this.listen();
  }

  /**
   * Take hold of a point: one that is near stays where it is under the finger, any other comes.
   *
   * @param {Spot} at  Where the finger is, in pixels.
   * @param {Spot} z  The same in latents.
   * @param {number[]} point
   * @param {(z: number[]) => void} put
   * @returns {Touch}
   */
  hold(at, z, point, put) {
    const [left, top] = this.pixels(/** @type {Spot} */ (point));
    const held = Math.hypot(left - at[0], top - at[1]) < NEAR;
    const offset = held ? point.map((value, k) => value - z[k]) : [0, 0];
    if (!held) put(z);
    return { move: (there) => put(there.map((value, k) => value + offset[k])) };
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const at = this.spot(event);
      const touch = this.onPress(at, this.latents(at));
      if (!touch) return;
      event.preventDefault();
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      /** @param {PointerEvent} moved */
      const move = (moved) => {
        if (moved.pointerId !== event.pointerId) return;
        const there = this.spot(moved);
        touch.move(this.latents(there), there);
      };
      /** @param {PointerEvent} ended */
      const end = (ended) => {
        if (ended.pointerId !== event.pointerId) return;
        canvas.removeEventListener("pointermove", move);
        for (const name of ["pointerup", "pointercancel"]) {
          canvas.removeEventListener(name, /** @type {EventListener} */ (end));
        }
        touch.end?.();
      };
      canvas.addEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) {
        canvas.addEventListener(name, /** @type {EventListener} */ (end));
      }
    });
    canvas.addEventListener("pointermove", (event) => {
      const at = this.spot(event);
      this.onHover(at, this.latents(at));
    });
    canvas.addEventListener("pointerleave", () => this.onHover(undefined, [0, 0]));
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.onKey(event)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return;
        event.preventDefault();
        const [x, y] = this.latents(this.spot(event));
        const factor = Math.exp(Math.max(-0.4, Math.min(0.4, event.deltaY / 100)));
        const half = this.within(this.camera.half * factor);
        const share = half / this.camera.half;
        this.look({
          x: x + (this.camera.x - x) * share,
          y: y + (this.camera.y - y) * share,
          half,
        });
      },
      { passive: false },
    );
  }

  /** @param {number} half */
  within(half) {
    return Math.min(this.extent, Math.max(CLOSEST, half));
  }

  /**
   * @param {{clientX: number, clientY: number}} event
   * @returns {Spot}
   */
  spot({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.side / box.width;
    return [(clientX - box.left) * scale, (clientY - box.top) * scale];
  }

  /** CSS pixels a unit of the latents. */
  get unit() {
    return this.side / (2 * this.camera.half);
  }

  /**
   * @param {ArrayLike<number>} z
   * @returns {Spot}
   */
  pixels(z) {
    const { x, y } = this.camera;
    return [this.side / 2 + (z[0] - x) * this.unit, this.side / 2 - (z[1] - y) * this.unit];
  }

  /**
   * @param {Spot} at
   * @returns {Spot}
   */
  latents([left, top]) {
    const { x, y } = this.camera;
    return [x + (left - this.side / 2) / this.unit, y - (top - this.side / 2) / this.unit];
  }

  /** @param {{x: number, y: number, half: number}} camera */
  look(camera) {
    cancelAnimationFrame(this.gliding ?? 0);
    this.camera = camera;
    this.refresh();
  }

  /**
   * Go to another view, or be there at once where motion is not wanted.
   *
   * @param {{x: number, y: number, half: number}} goal
   */
  glide(goal) {
    const from = { ...this.camera };
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const to = { ...goal, half: this.within(goal.half) };
    if (still) return this.look(to);
    const start = performance.now();
    const step = () => {
      const t = Math.min(1, (performance.now() - start) / GLIDE_MS);
      const eased = t * t * (3 - 2 * t);
      const half = from.half * (to.half / from.half) ** eased;
      // The goal stays where it is in the view as the view closes in on it.
      const share = to.half === from.half ? eased : (from.half - half) / (from.half - to.half);
      this.look({ x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share, half });
      if (t < 1) this.gliding = requestAnimationFrame(step);
    };
    return step();
  }

  /** @param {number} factor */
  zoom(factor) {
    this.glide({ ...this.camera, half: this.camera.half * factor });
  }

  whole() {
    this.glide({ x: 0, y: 0, half: this.extent });
  }

  /** Fit the canvas to its place. */
  measure() {
    const side = this.canvas.clientWidth;
    const pixels = Math.round(side * devicePixelRatio);
    if (!side) return;
    this.side = side;
    if (this.canvas.width !== pixels) Object.assign(this.canvas, { width: pixels, height: pixels });
    this.refresh();
  }

  /** Draw once before the next picture on the screen, however often this is asked for. */
  refresh() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const { context, side, palette } = this;
    if (!side) return;
    const scale = this.canvas.width / side;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, side, side);
    context.lineJoin = "round";
    this.onUnder();
    this.drawPoints();
    this.drawPrior();
    this.onDraw(context);
    context.globalAlpha = 1;
    this.drawScale();
    if (this.camera.half < MAP_FROM * this.extent) this.drawMap();
    context.strokeStyle = palette.edge;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, side - 1, side - 1);
  }

  drawPoints() {
    const { context, side, palette, points } = this;
    context.fillStyle = palette[this.tone];
    context.globalAlpha = this.strength;
    for (let i = 0; i < points.length; i += 2) {
      const [left, top] = this.pixels([points[i], points[i + 1]]);
      if (left < -2 || top < -2 || left > side + 2 || top > side + 2) continue;
      context.fillRect(left - 1, top - 1, 2, 2);
    }
    context.globalAlpha = 1;
  }

  /** The axes, and the rings of 1, 2 and 3 standard deviations. */
  drawPrior() {
    const { context, side, palette } = this;
    const [left, top] = this.pixels([0, 0]);
    context.strokeStyle = context.fillStyle = palette.ink;
    context.lineWidth = 1;
    context.globalAlpha = 0.12;
    context.beginPath();
    context.moveTo(left, 0);
    context.lineTo(left, side);
    context.moveTo(0, top);
    context.lineTo(side, top);
    context.stroke();
    context.font = `11px ${palette.font}`;
    for (const sigmas of [1, 2, 3]) {
      const radius = sigmas * this.unit;
      context.globalAlpha = 0.3;
      context.beginPath();
      context.arc(left, top, radius, 0, 2 * Math.PI);
      context.stroke();
      const diagonal = radius * Math.SQRT1_2;
      context.globalAlpha = 0.75;
      if (radius > 18 * sigmas) context.fillText(`${sigmas}σ`, left + diagonal + 3, top - diagonal - 3);
    }
    context.globalAlpha = 0.75;
    if (this.camera.half > MAP_FROM * this.extent) {
      context.textAlign = "right";
      context.fillText("z₁ →", side - 8, top - 6);
      context.textAlign = "left";
      context.fillText("↑ z₂", left + 6, 16);
    }
    context.globalAlpha = 1;
  }

  /** A line of a round length. */
  drawScale() {
    const { context, side, palette, unit } = this;
    const wanted = side / 5 / unit;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= wanted) ?? power;
    context.globalAlpha = 0.75;
    context.strokeStyle = context.fillStyle = palette.ink;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(12, side - 16);
    context.lineTo(12, side - 12);
    context.lineTo(12 + length * unit, side - 12);
    context.lineTo(12 + length * unit, side - 16);
    context.stroke();
    context.font = `11px ${palette.font}`;
    context.fillText(`${Number(length.toPrecision(1))}`, 16, side - 17);
    context.globalAlpha = 1;
  }

  /** Where in the whole plane this view is. */
  drawMap() {
    const { context, side, palette, camera, extent } = this;
    const size = Math.max(54, side * 0.15);
    const edge = 8;
    const unit = size / (2 * extent);
    const [left, top] = [side - size - edge, side - size - edge];
    const [x, y] = [left + size / 2, top + size / 2];
    context.save();
    context.fillStyle = palette.paper;
    context.globalAlpha = 0.88;
    context.fillRect(left, top, size, size);
    context.strokeStyle = palette.ink;
    context.globalAlpha = 0.3;
    context.lineWidth = 1;
    context.strokeRect(left, top, size, size);
    for (const sigmas of [1, 2, 3]) {
      context.beginPath();
      context.arc(x, y, sigmas * unit, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 1;
    context.strokeStyle = palette.accent;
    context.lineWidth = 2;
    const half = Math.max(2.5, camera.half * unit);
    context.beginPath();
    context.rect(left, top, size, size);
    context.clip();
    context.strokeRect(x + camera.x * unit - half, y - camera.y * unit - half, 2 * half, 2 * half);
    context.restore();
  }
}

/**
 * A spot with a name beside it, held within the field.
 *
 * @param {Field} field
 * @param {string} text
 * @param {Spot} at
 * @param {string} colour
 */
export function label({ context, side, palette }, text, [left, top], colour) {
  context.save();
  context.font = `600 12px ${palette.font}`;
  const width = context.measureText(text).width;
  const x = Math.min(Math.max(4, left), side - width - 4);
  const y = Math.min(Math.max(14, top), side - 6);
  context.lineWidth = 4;
  context.strokeStyle = palette.paper;
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
  context.restore();
}
