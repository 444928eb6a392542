/** A reel: the models of a recording one behind the other, their plane to drag in, and one's z in all. */

/** @import { Spot } from "./field.js" */
/** @import { Recorded } from "./recorded.js" */

import { bounded } from "./bound.js";
import { contextOf, find } from "./dom.js";
import { COMPASS, Field, label } from "./field.js";
import { colour, heat } from "./paint.js";

/** The half-width of the plane. */
const EXTENT = 4;

/** Faces a side that lie behind the points, and how faint they are. */
const BEHIND = 11;
const FAINT = 0.4;

/** A deviation that is as bright as can be. */
const CEILING = 0.25;

/** How long a moment of the film takes, and of that how long its points move, in milliseconds. */
const MOMENT_MS = 750;
const MOVING_MS = 500;

/** How far a key moves z, and with Shift. */
const STEP = 0.1;
const LEAP = 0.5;

export class Reel {
  z = [0.8, 0.6];
  place = 0;

  /** @type {Recorded | undefined} */
  recorded;

  /** @type {() => void}  Another model is looked at. */
  onMoment = () => {};

  /** @type {() => void}  z is another, or the model is. */
  onFace = () => {};

  /** @type {() => void}  More is to be drawn on the plane than the points and z. */
  onDraw = () => {};

  /** @type {(at: Spot) => boolean}  Whether a press is for somebody else. */
  onPress = () => false;

  hasHand = true;

  /**
   * @param {HTMLElement} section
   * @param {Record<string, string>} palette
   */
  constructor(section, palette) {
    this.section = section;
    this.palette = palette;
    this.field = new Field(find(section, ".field", HTMLCanvasElement), palette, EXTENT);
    this.slider = find(section, "[name=moment]", HTMLInputElement);
    this.button = find(section, "[name=play]", HTMLButtonElement);
    this.strip = find(section, ".through", HTMLElement);
    this.behind = find(section, "[name=behind]", HTMLInputElement);
    this.field.tone = "accent";
    this.field.strength = 0.8;
    this.field.onUnder = () => this.drawBehind();
    this.field.onDraw = () => this.draw();
    this.field.onPress = (at, z) => this.press(at, z);
    this.field.onKey = (event) => this.key(event);
    this.behind.addEventListener("change", () => this.field.refresh());
    this.slider.addEventListener("input", () => {
      this.stop();
      this.go(Number(this.slider.value));
    });
    this.button.addEventListener("click", () => (this.isPlaying ? this.stop() : this.play()));
  }

  /**
   * Put in a recording.
   *
   * @param {Recorded} recorded
   * @param {number} place
   */
  load(recorded, place) {
    this.stop();
    this.recorded = recorded;
    this.grids = new Map();
    const { frames, shape } = recorded.told;
    // The lesson's own model may have faces of another shape.
    this.section.style.setProperty("--aspect", String(shape[1] / shape[0]));
    this.slider.max = String(frames.length - 1);
    this.strip.style.setProperty("--moments", String(frames.length));
    this.faces = frames.map((_, i) => {
      const button = document.createElement("button");
      button.type = "button";
      // The slider is for keys.
      button.tabIndex = -1;
      button.title = recorded.nameOf(i);
      button.setAttribute("aria-label", `The face at ${recorded.nameOf(i)}`);
      button.addEventListener("click", () => {
        this.stop();
        this.go(i);
      });
      const canvas = document.createElement("canvas");
      canvas.className = "face";
      button.append(canvas);
      return button;
    });
    this.strip.replaceChildren(...this.faces);
    this.go(place);
  }

  /** Whether one holds z on the plane, or somebody else draws there. @param {boolean} hasHand */
  hold(hasHand) {
    this.hasHand = hasHand;
    this.field.tone = hasHand ? "accent" : "cloud";
    this.field.refresh();
  }

  /** @param {number} place */
  go(place) {
    const { recorded } = this;
    if (!recorded) return;
    this.place = place;
    this.field.points = recorded.points(place);
    this.heldout = recorded.points(place, "heldout");
    const said = recorded.nameOf(place);
    this.slider.value = String(place);
    this.slider.setAttribute("aria-valuetext", said);
    find(this.section, ".moment", HTMLElement).textContent = said;
    this.faces?.forEach((face, i) => face.setAttribute("aria-pressed", String(i === place)));
    this.put(this.z);
    this.onMoment();
  }

  /** @param {number[]} z */
  put(z) {
    const { recorded } = this;
    this.z = z.map((value) => bounded(value, -EXTENT, EXTENT));
    this.faces?.forEach((face, place) => {
      const canvas = /** @type {HTMLCanvasElement} */ (face.firstChild);
      if (recorded) paintFace(canvas, recorded, recorded.decoder(place).decode(this.whole()).mean);
    });
    this.onFace();
    this.field.refresh();
  }

  /** z in all latents: those beyond the plane are at the prior's mean. @param {ArrayLike<number>} z */
  whole(z = this.z) {
    const all = new Float32Array(this.recorded?.latents ?? 2);
    all.set([z[0], z[1]]);
    return all;
  }

  get isPlaying() {
    return this.playing !== undefined;
  }

  /** From here to the end, or from the beginning if this is the end. */
  play() {
    const { recorded } = this;
    if (!recorded) return;
    if (this.place === recorded.count - 1) this.go(0);
    this.button.textContent = "Stop";
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const moves = !still && recorded.told.axis === "step";
    let began = performance.now();
    let [from, to] = [this.place, this.place + 1].map((place) => recorded.points(place));
    const step = () => {
      const passed = performance.now() - began;
      if (passed >= MOMENT_MS) {
        this.go(this.place + 1);
        if (this.place === recorded.count - 1) return this.stop();
        began = performance.now();
        [from, to] = [to, recorded.points(this.place + 1)];
      } else if (moves && passed > MOMENT_MS - MOVING_MS) {
        // On their way to where the next model puts them.
        const t = (passed - MOMENT_MS + MOVING_MS) / MOVING_MS;
        const eased = t * t * (3 - 2 * t);
        const [a, b] = [from, to];
        this.field.points = a.map((value, i) => value + eased * (b[i] - value));
        this.field.refresh();
      }
      this.playing = requestAnimationFrame(step);
      return undefined;
    };
    this.playing = requestAnimationFrame(step);
  }

  stop() {
    if (!this.isPlaying) return;
    cancelAnimationFrame(this.playing ?? 0);
    this.playing = undefined;
    this.button.textContent = "Play";
    this.field.points = this.recorded?.points(this.place) ?? [];
    this.field.refresh();
  }

  /** @param {Spot} at @param {Spot} z */
  press(at, z) {
    if (this.onPress(at) || !this.hasHand) return undefined;
    return this.field.hold(at, z, this.z, (there) => this.put(there));
  }

  /** @param {KeyboardEvent} event */
  key({ key, shiftKey }) {
    const way = COMPASS[key];
    if (!way || !this.hasHand) return false;
    this.put(this.z.map((value, k) => value + way[k] * (shiftKey ? LEAP : STEP)));
    return true;
  }

  /** Faces of the whole plane, as this model makes them. */
  drawBehind() {
    const { field, recorded, place, grids } = this;
    if (!this.behind.checked || !this.hasHand || !recorded || !grids) return;
    let grid = grids.get(place);
    if (!grid) {
      grid = this.gridOf(recorded);
      grids.set(place, grid);
    }
    const { context } = field;
    const [left, top] = field.pixels([-EXTENT, EXTENT]);
    const [right, bottom] = field.pixels([EXTENT, -EXTENT]);
    context.globalAlpha = FAINT;
    context.imageSmoothingQuality = "high";
    context.drawImage(grid, left, top, right - left, bottom - top);
    context.globalAlpha = 1;
  }

  /** @param {Recorded} recorded */
  gridOf(recorded) {
    const [height, width] = recorded.told.shape;
    const grid = document.createElement("canvas");
    // As wide as they are high in the plane: faces keep their shape, and stand apart.
    Object.assign(grid, { width: BEHIND * height, height: BEHIND * height });
    const context = contextOf(grid);
    const face = document.createElement("canvas");
    for (let row = 0; row < BEHIND; row++) {
      for (let column = 0; column < BEHIND; column++) {
        const z = [column, BEHIND - 1 - row].map((i) => EXTENT * ((2 * i + 1) / BEHIND - 1));
        const { mean } = recorded.decoder(this.place).decode(this.whole(z));
        paintFace(face, recorded, mean);
        context.drawImage(face, (column + 0.5) * height - width / 2, row * height);
      }
    }
    return grid;
  }

  draw() {
    const { field, palette, heldout } = this;
    const { context } = field;
    context.fillStyle = palette.warm;
    context.globalAlpha = 1;
    for (let i = 0; i < (heldout?.length ?? 0); i += 2) {
      const [left, top] = field.pixels([heldout?.[i] ?? 0, heldout?.[i + 1] ?? 0]);
      context.fillRect(left - 1.5, top - 1.5, 3, 3);
    }
    context.globalAlpha = 1;
    if (this.hasHand) {
      const [left, top] = field.pixels(this.z);
      for (const [wide, tone] of /** @type {[number, string][]} */ ([[5.5, palette.paper], [3, palette.ink]])) {
        context.lineWidth = wide;
        context.strokeStyle = tone;
        context.beginPath();
        context.arc(left, top, 9, 0, 2 * Math.PI);
        context.stroke();
      }
      label(field, "z", [left + 14, top + 4], palette.ink);
    }
    this.onDraw();
  }

  resize() {
    this.field.measure();
  }
}

/**
 * Paint the deviations of a face's pixels: the brighter the wider.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Recorded} recorded
 * @param {ArrayLike<number>} deviations
 */
export function paintSpread(canvas, { told }, deviations) {
  const [height, width] = told.shape;
  Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  heat(Float32Array.from(deviations), 1, CEILING, image.data);
  contextOf(canvas).putImageData(image, 0, 0);
}

/**
 * Paint a face of a recording, a pixel a pixel.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Recorded} recorded
 * @param {ArrayLike<number>} pixels
 */
export function paintFace(canvas, { told }, pixels) {
  const [height, width] = told.shape;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  colour(Float32Array.from(pixels), 1, image.data);
  contextOf(canvas).putImageData(image, 0, 0);
}
