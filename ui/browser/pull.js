/** The hand: take hold of a point of the face and drag, and what is under the finger comes along. */

/** @import { Face } from "./face.js" */
/** @import { Place } from "./grip.js" */
/** @import { Model } from "./model.js" */
/** @import { Leaning } from "./nearest.js" */

import { crowdOf } from "./crowd.js";
import { drawn, find } from "./dom.js";
import { Grip, REACH } from "./grip.js";
import { inAFrame, nudged, pointedAt } from "./hand.js";

/** So many steps after the finger has moved, and it is near enough. */
const MOST_PULLS = 60;

/** So many pulls can be undone. */
const MOST_KEPT = 50;

export class Pull {
  on = false;

  /** @type {Model | undefined} */
  model;

  /** @type {Grip | undefined}  While something is held, and until it has come along. */
  grip;

  /** @type {((z: Float32Array) => Leaning) | undefined}  Where the model's faces are. */
  crowd;

  /** @type {Float32Array[]}  z before each pull. */
  history = [];

  /** @type {number | "keys" | undefined}  The pointer that holds, or that keys do. */
  holding;

  /** @type {Place} */
  finger = { x: 0, y: 0 };

  frame = 0;
  steps = 0;
  arrived = true;

  /**
   * @param {ParentNode} root
   * @param {object} told
   * @param {AbortSignal} told.signal
   * @param {Face} told.face
   * @param {() => Float32Array} told.z
   * @param {() => void} told.onTurn  It is turned on.
   * @param {() => void} told.onBegin  It takes hold.
   * @param {(z: Float32Array) => void} told.onMove
   * @param {() => void} told.onRest  The face has come along.
   */
  constructor(root, told) {
    this.root = root;
    this.told = told;
    this.button = find(root, "[name=pull]", HTMLButtonElement);
    this.row = find(root, ".pulling", HTMLElement);
    this.sheet = find(root, ".pull", SVGElement);
    this.undoButton = find(root, "[name=unpull]", HTMLButtonElement);
    const { signal } = told;
    const { sheet } = this;
    this.button.addEventListener("click", () => this.turn(!this.on), { signal });
    this.undoButton.addEventListener("click", () => this.undo(), { signal });
    sheet.addEventListener("pointerdown", (event) => this.down(event), { signal });
    sheet.addEventListener("pointermove", (event) => this.drag(event), { signal });
    sheet.addEventListener("pointerup", (event) => this.up(event), { signal });
    sheet.addEventListener("pointercancel", (event) => this.up(event), { signal });
    sheet.addEventListener("pointerleave", () => this.leave(), { signal });
    sheet.addEventListener("keydown", (event) => this.press(event), { signal });
    sheet.addEventListener("blur", () => this.leave(), { signal });
  }

  /** @param {Model} model */
  adopt(model) {
    this.model = model;
    this.crowd = undefined;
    const [height, width, channels = 1] = model.shape;
    // Latents of coloured faces tell of colours first: what is pulled changes them, and stays.
    this.button.hidden = channels === 3;
    if (this.button.hidden) this.turn(false);
    this.finger = { x: width / 2, y: height / 2 };
    this.sheet.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.forget();
  }

  /** @param {boolean} on */
  turn(on) {
    if (on === this.on || !this.model) return;
    this.on = on;
    this.button.setAttribute("aria-pressed", String(on));
    this.row.hidden = !on;
    this.sheet.toggleAttribute("hidden", !on);
    this.forget();
    if (!on) return;
    this.told.onTurn();
    find(this.root, "[name=mode][value=mean]", HTMLInputElement).click();
  }

  // The finger

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button || this.holding !== undefined || !this.model) return;
    event.preventDefault();
    this.sheet.focus({ preventScroll: true });
    this.sheet.setPointerCapture(event.pointerId);
    this.place(event);
    this.take(event.pointerId);
  }

  /** @param {PointerEvent} event */
  drag(event) {
    if (this.holding !== undefined && event.pointerId !== this.holding) return;
    this.place(event);
    if (this.holding !== undefined) this.pull();
    else this.draw(true);
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (event.pointerId === this.holding) this.release();
  }

  leave() {
    if (this.holding === "keys") this.release();
    if (this.holding === undefined) this.draw();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const { model, holding } = this;
    const there = model && nudged(event, this.finger, model.shape, model.shape[1] / 40);
    if (there) {
      this.finger = there;
      if (holding === undefined) this.draw(true);
      else this.pull();
    } else if ((event.key === " " || event.key === "Enter") && model) {
      if (holding === undefined) this.take("keys");
      else this.release();
    } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (event.key === "Escape") {
      this.turn(false);
      this.button.focus();
    } else return;
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  place(event) {
    if (this.model) this.finger = pointedAt(this.sheet, event, this.model.shape);
  }

  /** @param {number | "keys"} holder */
  take(holder) {
    const { model, told } = this;
    if (!model) return;
    told.onBegin();
    const z = Float32Array.from(told.z());
    this.holding = holder;
    this.crowd ??= crowdOf(model);
    this.grip = new Grip(model, z, this.finger, this.crowd);
    this.before = z;
    this.draw();
  }

  pull() {
    const { grip, before } = this;
    if (!grip) return;
    if (before) {
      // Whoever only touched the face has nothing to undo.
      this.history.push(before);
      this.history.splice(0, this.history.length - MOST_KEPT);
      this.before = undefined;
      this.undoButton.disabled = false;
    }
    grip.stuck = 0;
    this.arrived = false;
    this.steps = 0;
    this.run();
    this.draw();
  }

  release() {
    this.holding = undefined;
    if (this.arrived) this.rest();
  }

  rest() {
    const moved = !this.before;
    this.grip = undefined;
    this.draw();
    if (moved) this.told.onRest();
  }

  undo() {
    const z = this.history.pop();
    if (!z) return;
    this.told.onBegin();
    this.drop();
    this.undoButton.disabled = !this.history.length;
    this.told.onMove(z);
    this.told.onRest();
    if (this.undoButton.disabled && this.on) this.sheet.focus({ preventScroll: true });
  }

  /** Hold nothing any more. */
  drop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.grip = undefined;
    this.holding = undefined;
    this.arrived = true;
    this.draw();
  }

  /** z goes its own way. */
  forget() {
    this.drop();
    this.history = [];
    this.undoButton.disabled = true;
  }

  // The answer

  run() {
    this.frame ||= requestAnimationFrame(() => this.tick());
  }

  tick() {
    this.frame = 0;
    const { grip, told } = this;
    if (!grip) return;
    told.onMove(this.follow(grip));
    this.draw();
    if (!this.arrived) this.run();
    else if (this.holding === undefined) this.rest();
  }

  /** @param {Grip} grip */
  follow(grip) {
    const left = MOST_PULLS - this.steps;
    const { z, steps, arrived } = inAFrame(this.told.z(), (at) => grip.step(at, this.finger), left);
    this.steps += steps;
    this.arrived = arrived;
    return z;
  }

  /**
   * Draw what is held, where the finger is, and what lies between.
   *
   * @param {boolean} aiming  Whether something is about to be held.
   */
  draw(aiming = false) {
    const { grip, finger, sheet, model } = this;
    const width = model?.shape[1] ?? 1;
    if (grip) {
      const { x, y } = grip.at;
      sheet.replaceChildren(
        drawn("line", { x1: x, y1: y, x2: finger.x, y2: finger.y }),
        drawn("circle", { class: "finger", cx: finger.x, cy: finger.y, r: 0.03 * width }),
        drawn("circle", { class: "held", cx: x, cy: y, r: 0.018 * width }),
      );
    } else if (aiming) {
      const { x, y } = finger;
      sheet.replaceChildren(drawn("circle", { class: "reach", cx: x, cy: y, r: REACH * width }));
    } else sheet.replaceChildren();
  }
}
