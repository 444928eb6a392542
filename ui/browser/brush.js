/** The brush: paint on the face, and the nearest face that the model can make answers. */

/** @import { Face } from "./face.js" */
/** @import { Model } from "./model.js" */
/** @import { Touch } from "./strokes.js" */

import { contextOf, find } from "./dom.js";
import { inAFrame, nudged, pointedAt } from "./hand.js";
import { Nearest } from "./nearest.js";
import { Strokes } from "./strokes.js";

/** So many steps after the last touch, and it is near enough. */
const MOST_STEPS = 60;

/** How long a stroke is seen once it is drawn. */
const FADE_MS = 900;

/** How firmly what is painted is seen while it may be erased. */
const GHOST = 0.6;

/** So many strokes can be undone. */
const MOST_UNDONE = 50;

/** @typedef {{z: Float32Array, home: Float32Array, strokes: Strokes}} Before */

export class Brush {
  on = false;

  /** @type {Model | undefined} */
  model;

  /** @type {Strokes | undefined}  What is painted since z came here by other means. */
  strokes;

  /** @type {Nearest | undefined} */
  nearest;

  /** @type {Before[]}  What there was before each stroke. */
  history = [];

  /** @type {number | undefined}  The pointer that paints. */
  painting;

  /** @type {Touch}  Where the brush is. */
  touch = { x: 0, y: 0, radius: 1 };

  /** The face at the beginning of a stroke. */
  base = new Float32Array();

  frame = 0;
  steps = 0;
  arrived = true;
  released = 0;

  /**
   * @param {ParentNode} root
   * @param {object} told
   * @param {AbortSignal} told.signal
   * @param {Face} told.face  What is painted on.
   * @param {() => Float32Array} told.z
   * @param {() => void} told.onTurn  It is turned on.
   * @param {() => void} told.onBegin  A stroke begins.
   * @param {(z: Float32Array) => void} told.onMove
   * @param {() => void} told.onRest  The face has answered.
   */
  constructor(root, told) {
    this.root = root;
    this.told = told;
    this.button = find(root, "[name=brush]", HTMLButtonElement);
    this.palette = find(root, ".palette", HTMLElement);
    this.canvas = find(root, ".paint", HTMLCanvasElement);
    this.ring = find(root, ".ring", HTMLElement);
    this.undoButton = find(root, "[name=undo]", HTMLButtonElement);
    this.dye = find(root, "[name=dye]", HTMLInputElement);
    this.context = contextOf(this.canvas);
    const { signal } = told;
    this.button.addEventListener("click", () => this.turn(!this.on), { signal });
    this.undoButton.addEventListener("click", () => this.undo(), { signal });
    this.palette.addEventListener("change", (event) => this.choose(event), { signal });
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.down(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.drag(event), { signal });
    canvas.addEventListener("pointerup", (event) => this.up(event), { signal });
    canvas.addEventListener("pointercancel", (event) => this.up(event), { signal });
    canvas.addEventListener("pointerleave", () => (this.ring.hidden = true), { signal });
    canvas.addEventListener("keydown", (event) => this.press(event), { signal });
    canvas.addEventListener("blur", () => (this.ring.hidden = true), { signal });
  }

  /** @param {Model} model */
  adopt(model) {
    this.model = model;
    const [height, width, channels = 1] = model.shape;
    this.touch = { ...this.touch, x: width / 2, y: height / 2 };
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (
      this.palette.querySelectorAll(".dye")
    )) {
      part.hidden = channels !== 3;
    }
    if (channels !== 3 && this.tool === "colour") this.take("darken");
    this.forget();
  }

  /** @param {boolean} on */
  turn(on) {
    if (on === this.on || !this.model) return;
    this.on = on;
    this.button.setAttribute("aria-pressed", String(on));
    this.palette.hidden = this.canvas.hidden = !on;
    this.ring.hidden = true;
    this.forget();
    if (!on) return;
    this.told.onTurn();
    find(this.root, "[name=mode][value=mean]", HTMLInputElement).click();
  }

  get tool() {
    return find(this.palette, "[name=tool]:checked", HTMLInputElement).value;
  }

  /** @param {string} tool */
  take(tool) {
    find(this.palette, `[name=tool][value=${tool}]`, HTMLInputElement).checked = true;
  }

  /** @param {Event} event */
  choose({ target }) {
    // Who chooses a colour wants to paint with it.
    if (target === this.dye) this.take("colour");
    this.draw();
  }

  // Strokes

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button || this.painting !== undefined || !this.model) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.painting = event.pointerId;
    this.begin();
    this.place(event);
    this.dab([this.touch]);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const from = this.touch;
    if (this.painting !== undefined && event.pointerId !== this.painting) return;
    this.place(event);
    if (this.painting === undefined) return;
    // As many touches as leave no gap.
    const to = this.touch;
    const way = Math.hypot(to.x - from.x, to.y - from.y);
    const count = Math.max(1, Math.ceil((2 * way) / Math.max(1, to.radius)));
    const touches = Array.from({ length: count }, (_, i) => {
      const share = (i + 1) / count;
      return { ...to, x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) };
    });
    this.dab(touches);
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (event.pointerId !== this.painting) return;
    this.painting = undefined;
    if (event.pointerType === "touch") this.ring.hidden = true;
    this.end();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const there = this.model && nudged(event, this.touch, this.model.shape);
    if (there) this.show({ ...this.touch, ...there });
    else if ((event.key === " " || event.key === "Enter") && this.model) {
      this.show(this.touch);
      this.begin();
      this.dab([this.touch]);
      this.end();
    } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (event.key === "Escape") {
      this.turn(false);
      this.button.focus();
    } else return;
    event.preventDefault();
  }

  /**
   * Move the brush to where a pointer is.
   *
   * @param {PointerEvent} event
   */
  place(event) {
    if (!this.model) return;
    this.show({ ...this.touch, ...pointedAt(this.canvas, event, this.model.shape) });
  }

  /**
   * Show how much the brush covers, and where.
   *
   * @param {Touch} touch
   */
  show(touch) {
    const width = this.model?.shape[1] ?? 1;
    const size = find(this.palette, "[name=size]:checked", HTMLInputElement).value;
    this.touch = { ...touch, radius: Number(size) * width };
    const { offsetLeft, offsetTop, offsetWidth } = this.canvas;
    const scale = offsetWidth / width;
    const radius = this.touch.radius * scale;
    this.ring.hidden = false;
    Object.assign(this.ring.style, {
      left: `${offsetLeft + this.touch.x * scale - radius}px`,
      top: `${offsetTop + this.touch.y * scale - radius}px`,
      width: `${2 * radius}px`,
      height: `${2 * radius}px`,
    });
  }

  begin() {
    const { model, told } = this;
    if (!model) return;
    told.onBegin();
    const z = Float32Array.from(told.z());
    this.strokes ??= new Strokes(model.shape);
    this.nearest ??= new Nearest(model, z);
    this.history.push({ z, home: this.nearest.home, strokes: this.strokes.copy() });
    if (this.history.length > MOST_UNDONE) this.history.shift();
    this.undoButton.disabled = false;
    this.base = this.seen();
  }

  /** The face that is shown, D values. */
  seen() {
    const { data } = this.told.face.image;
    const channels = this.strokes?.channels ?? 1;
    return Float32Array.from(
      { length: (data.length / 4) * channels },
      (_, i) => data[4 * Math.floor(i / channels) + (i % channels)] / 255,
    );
  }

  /** Touch the face. @param {Touch[]} touches */
  dab(touches) {
    const { strokes, nearest, tool } = this;
    if (!strokes || !nearest) return;
    for (const touch of touches) {
      if (tool === "erase") strokes.erase(touch);
      else if (tool === "colour") strokes.dye(touch, channelsOf(this.dye.value));
      else strokes.shade(touch, tool === "lighten" ? 1 : -1, this.base);
    }
    nearest.want(strokes);
    this.arrived = false;
    this.steps = 0;
    this.run();
  }

  end() {
    this.released = performance.now();
    if (this.arrived) this.told.onRest();
    this.run();
  }

  undo() {
    const before = this.history.pop();
    if (!before || !this.model) return;
    this.painting = undefined;
    this.told.onBegin();
    this.strokes = before.strokes;
    this.nearest = new Nearest(this.model, before.home);
    this.nearest.want(before.strokes);
    this.arrived = true;
    this.undoButton.disabled = !this.history.length;
    this.told.onMove(before.z);
    this.draw();
    this.told.onRest();
    if (this.undoButton.disabled && this.on) this.canvas.focus({ preventScroll: true });
  }

  /** z goes its own way: what was painted is over. */
  forget() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.strokes = undefined;
    this.nearest = undefined;
    this.painting = undefined;
    this.arrived = true;
    this.history = [];
    this.undoButton.disabled = true;
    this.draw();
  }

  // The answer

  run() {
    this.frame ||= requestAnimationFrame((now) => this.tick(now));
  }

  /** @param {number} now */
  tick(now) {
    this.frame = 0;
    const { nearest, told } = this;
    if (!nearest) return;
    const moving = !this.arrived;
    if (moving) {
      told.onMove(this.follow(nearest));
      if (this.arrived && this.painting === undefined) told.onRest();
    }
    const fading = this.painting === undefined && now - this.released < FADE_MS;
    this.draw(now);
    if (!this.arrived || fading) this.run();
    else if (this.painting === undefined) this.draw(Infinity);
  }

  /** @param {Nearest} nearest */
  follow(nearest) {
    const left = MOST_STEPS - this.steps;
    const { z, steps, arrived } = inAFrame(this.told.z(), (at) => nearest.step(at), left);
    this.steps += steps;
    this.arrived = arrived;
    return z;
  }

  /**
   * Draw what is painted, as far as the face has not taken it up.
   *
   * @param {number} now  The time, which may be any once it is over.
   */
  draw(now = Infinity) {
    const { strokes, canvas } = this;
    if (!strokes) {
      this.context.clearRect(0, 0, canvas.width, canvas.height);
      return;
    }
    const share = (now - this.released) / FADE_MS;
    const left = this.painting === undefined ? Math.max(0, 1 - share) : 1;
    const erasing = this.tool === "erase";
    const shown = erasing ? Math.max(GHOST, left) : left;
    const { data } = this.told.face.image;
    const { firmness, wanted, channels, width, height } = strokes;
    const image = new ImageData(width, height);
    firmness.forEach((firm, pixel) => {
      if (!firm) return;
      let missing = 0;
      for (let channel = 0; channel < 3; channel++) {
        const value = 255 * wanted[pixel * channels + (channels === 3 ? channel : 0)];
        image.data[4 * pixel + channel] = value;
        missing = Math.max(missing, Math.abs(value - data[4 * pixel + channel]) / 255);
      }
      // Half a stroke's own change, and it is there in full.
      const open = erasing ? 1 : Math.min(1, 4 * missing);
      image.data[4 * pixel + 3] = 255 * firm * shown * open;
    });
    this.context.putImageData(image, 0, 0);
  }
}

/**
 * The channels of a colour such as #b3402e, in [0, 1].
 *
 * @param {string} colour
 */
const channelsOf = (colour) =>
  [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
