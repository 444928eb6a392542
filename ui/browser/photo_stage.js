/** The photo stage: a photo moves under a frame that stays. */

/** @import { Frame } from "./framing.js" */

import { contextOf, find } from "./dom.js";
import { boxOf, clamp, photoUnder, widthAt, zoomOf } from "./framing.js";

const ARROW = 0.01;
const ZOOM_KEY = 1.05;
const WHEEL = 0.0015;

/** Longer than the pause between two turns of a wheel, shorter than a person waits. */
const PAUSE_MS = 300;

/** @type {Record<string, [number, number]>} */
const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/**
 * @typedef {object} Data  What is shown, and within which bounds.
 * @property {string} photo  An address, as is `guide`: a face that shows where one should be.
 * @property {string} guide
 * @property {[number, number]} size  The model's images, width and height.
 * @property {boolean} grey
 * @property {Frame} start
 * @property {number} widest
 * @property {number} closest
 */

/** @typedef {(name: string, value: object) => void} Send */

export class PhotoFrame {
  /** @type {Map<number, PointerEvent>} */
  pointers = new Map();

  /**
   * @param {ParentNode} root
   * @param {Data} data
   * @param {Send} send
   */
  constructor(root, data, send) {
    this.stage = find(root, ".stage", HTMLElement);
    this.photo = find(root, ".photo", HTMLImageElement);
    this.window = find(root, ".window", HTMLElement);
    this.guide = find(root, ".guide", HTMLImageElement);
    this.canvas = find(root, "canvas", HTMLCanvasElement);
    this.zoom = find(root, "[name=zoom]", HTMLInputElement);
    this.opacity = find(root, "[name=opacity]", HTMLInputElement);
    this.data = data;
    this.frame = { ...data.start };
    this.send = send;
    this.listen();
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(this.stage);
  }

  /**
   * @param {Data} data
   * @param {Send} send
   */
  update(data, send) {
    this.send = send;
    const news = JSON.stringify([data.guide, data.size, data.start]);
    if (news === this.news && data.photo === this.data.photo) return;
    /** @type {string | undefined} */
    this.news = news;
    this.data = data;
    this.frame = { ...data.start };
    [this.canvas.width, this.canvas.height] = data.size;
    this.guide.src = data.guide;
    this.photo.onload = () => this.draw();
    this.photo.src = data.photo;
  }

  destroy() {
    this.resizing.disconnect();
    clearTimeout(this.timer);
  }

  listen() {
    const { stage } = this;
    stage.addEventListener("pointerdown", (event) => {
      // Else a drag would select the photo as if it were text.
      event.preventDefault();
      stage.focus({ preventScroll: true });
      stage.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, event);
    });
    stage.addEventListener("pointermove", (event) => this.drag(event));
    const lift = (/** @type {PointerEvent} */ event) => {
      if (this.pointers.delete(event.pointerId) && !this.pointers.size) this.settle(0);
    };
    stage.addEventListener("pointerup", lift);
    stage.addEventListener("pointercancel", lift);
    const turn = (/** @type {WheelEvent} */ event) => {
      event.preventDefault();
      this.scale(Math.exp(event.deltaY * WHEEL));
      this.settle();
    };
    stage.addEventListener("wheel", turn, { passive: false });
    stage.addEventListener("keydown", (event) => this.press(event));
    this.zoom.addEventListener("input", () => {
      this.frame.width = widthAt(Number(this.zoom.value), this.data);
      this.draw();
      this.settle();
    });
    this.opacity.addEventListener("input", () => this.draw());
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const span = this.span();
    this.pointers.set(event.pointerId, event);
    const fingers = this.pointers.size;
    if (fingers === 2) this.scale(span / this.span());
    // Of two fingers each moves the photo by half.
    const [dx, dy] = [before.clientX - event.clientX, before.clientY - event.clientY];
    this.pan(dx / fingers, dy / fingers);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const arrow = ARROWS[event.key];
    if (arrow) {
      this.move(arrow[0] * ARROW * this.frame.width, arrow[1] * ARROW * this.frame.width);
    } else if (event.key === "+" || event.key === "=") this.scale(1 / ZOOM_KEY);
    else if (event.key === "-") this.scale(ZOOM_KEY);
    else if (event.key === "Home") this.move(0, 0, this.data.start);
    else return;
    event.preventDefault();
    this.settle();
  }

  /** The distance of two fingers. */
  span() {
    const [a, b] = this.pointers.values();
    return b ? Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)) : 1;
  }

  /**
   * Move by CSS pixels of the stage.
   *
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    const wide = this.box().width / this.frame.width;
    const tall = (wide * this.photo.naturalHeight) / this.photo.naturalWidth;
    this.move(dx / wide, dy / tall);
  }

  /**
   * Move by shares of the photo.
   *
   * @param {number} dx
   * @param {number} dy
   */
  move(dx, dy, from = this.frame) {
    this.frame = { ...from, x: clamp(from.x + dx, 0, 1), y: clamp(from.y + dy, 0, 1) };
    this.draw();
  }

  /** @param {number} factor */
  scale(factor) {
    const { widest, closest } = this.data;
    this.frame.width = clamp(this.frame.width * factor, closest, widest);
    this.draw();
  }

  settle(delay = PAUSE_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send("frame", { ...this.frame }), delay);
  }

  /** The frame in CSS pixels of the stage. */
  box() {
    const [width, height] = this.data.size;
    return boxOf(this.stage.clientWidth, width / height);
  }

  draw() {
    const { naturalWidth: wide, naturalHeight: tall } = this.photo;
    if (!wide) return;
    const box = this.box();
    for (const [side, length] of Object.entries(box)) {
      this.window.style.setProperty(side, `${length}px`);
    }
    const { left, top, scale } = photoUnder(this.frame, box, wide, tall);
    this.photo.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    this.guide.style.opacity = this.opacity.value;
    this.zoom.value = String(zoomOf(this.frame.width, this.data));
    this.drawPreview(wide, tall);
  }

  /**
   * @param {number} wide  The photo's width in pixels.
   * @param {number} tall  The photo's height.
   */
  drawPreview(wide, tall) {
    const { width, height } = this.canvas;
    const context = contextOf(this.canvas);
    context.filter = this.data.grey ? "grayscale(1)" : "none";
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#000";
    context.fillRect(0, 0, width, height);
    const box = { left: 0, top: 0, width, height };
    const { left, top, scale } = photoUnder(this.frame, box, wide, tall);
    context.drawImage(this.photo, left, top, wide * scale, tall * scale);
  }
}
