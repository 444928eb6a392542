/**
 * The latent pad: z follows the pointer, and the face follows z within the same frame.
 *
 * The pad holds z. The instrument shows it; the controls, a glide or a walk move it; where it has
 * come to rest is told to whoever mounted the pad.
 */

/** @import { Model } from "./model.js" */
/** @import { NamedAxis } from "./named_axes.js" */
/** @import { Arrow } from "./overlay.js" */
/** @import { Label } from "./tint.js" */

import { Brush } from "./brush.js";
import { listen } from "./controls.js";
import { find } from "./dom.js";
import { Instrument } from "./instrument.js";
import { latentPoint } from "./model.js";
import { Motion, nearestFirst } from "./motion.js";
import { moveAlong, placeAlong } from "./projection.js";
import { Pull } from "./pull.js";
import { ServedDecoder } from "./served.js";
import { MOST_PINS, Tray } from "./tray.js";

/** Longer than the pause between two key repeats, shorter than a person waits. */
const SETTLE_MS = 250;

/** How many points a walk goes through before it comes round. */
const WALK_LEGS = 9;

/**
 * @typedef {object} State  Where a pad has come to rest, or is to be.
 * @property {number[]} z
 * @property {number[][]} pins
 * @property {string} model  The model that the pins belong to.
 * @property {number[]} axes
 * @property {boolean} arrows  Whether the visitor wants to see arrows.
 */

/** @param {Float32Array} z */
const rounded = (z) => Array.from(z, (latent) => Number(latent.toFixed(4)));

export class Pad {
  /** @type {Float32Array} */
  z = new Float32Array(2);
  playing = false;
  frame = 0;
  pending = false;

  /** @type {Float32Array[]} */
  pins = [];

  /** @type {Map<string, Float32Array[]>}  The pins of each model. */
  trays = new Map();

  /** @type {Model | undefined} */
  model;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  settling;

  /**
   * @param {ParentNode} root  What holds the elements of `pad.html`.
   * @param {object} outside
   * @param {(state: State) => void} outside.onSettle  z has come to rest.
   * @param {(model: Model) => Arrow[]} outside.arrows  The directions known of a model by now.
   * @param {(model: Model) => Label | undefined} outside.label  What its points are coloured by.
   */
  constructor(root, { onSettle, arrows, label }) {
    this.root = root;
    this.onSettle = onSettle;
    this.playButton = find(root, "[name=play]", HTMLButtonElement);
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.instrument = new Instrument(root, { arrows, label });
    this.motion = new Motion();
    this.tray = new Tray(root, {
      signal,
      onReturn: (z) => this.glide(z),
      onRemove: (i) => this.keep(this.pins.filter((_, other) => other !== i)),
    });
    const told = {
      signal,
      face: this.instrument.face,
      z: () => this.z,
      onBegin: () => this.halt(),
      onMove: (/** @type {Float32Array} */ z) => this.move(z),
      onRest: () => this.settle(),
    };
    this.brush = new Brush(root, { ...told, onTurn: () => this.pull.turn(false) });
    this.pull = new Pull(root, { ...told, onTurn: () => this.brush.turn(false) });
    listen(this, signal);
  }

  /** Everything that outlives a function call ends here. */
  destroy() {
    this.leave();
    this.ending.abort();
    this.brush.forget();
    this.pull.forget();
    this.instrument.destroy();
    this.motion.stop();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.settling);
  }

  // What it is given

  /**
   * Where z is to be, and what in the tray of a model, before there is one.
   *
   * @param {State} state
   */
  start({ model, z, pins }) {
    this.z = Float32Array.from(z);
    this.trays.set(model, pins.map((pin) => Float32Array.from(pin)));
  }

  /**
   * Take a model, or other weights of the same; z stays put.
   *
   * @param {Model} model
   * @param {State | null} [state]  Its axes are taken up where the model has other latents.
   */
  adopt(model, state) {
    const met = this.model?.latents === model.latents;
    this.leave();
    this.model = model;
    const { decoder } = model;
    if (decoder instanceof ServedDecoder) {
      // Both decode many faces a frame.
      this.brush.turn(false);
      this.pull.turn(false);
      decoder.onAnswer = (problem) => this.answered(problem);
    }
    this.pins = this.trays.get(model.model) ?? [];
    if (this.z.length !== model.latents) this.z = new Float32Array(model.latents);
    this.instrument.adopt(model);
    this.brush.adopt(model);
    this.pull.adopt(model);
    if (!met && state?.z.length === model.latents) this.instrument.plane.turn(state.axes);
    this.tray.draw(model, this.pins);
    this.instrument.reach(this.z);
    this.refresh();
  }

  /**
   * Go where somebody else wants z, with their pins and axes.
   *
   * @param {State} state
   */
  follow({ model, z, pins, axes }) {
    if (!this.model) return;
    this.trays.set(model, pins.map((pin) => Float32Array.from(pin)));
    this.pins = this.trays.get(this.model.model) ?? [];
    this.tray.draw(this.model, this.pins);
    this.instrument.plane.turn(axes);
    this.glide(Float32Array.from(z), false);
  }

  /** Nothing more is expected of the model that was. */
  leave() {
    const decoder = this.model?.decoder;
    if (decoder instanceof ServedDecoder) decoder.end();
  }

  /** @param {string} problem  Why the server gives no face, if it gives none. */
  answered(problem) {
    this.instrument.tellServed(problem);
    if (!problem) this.instrument.face.draw(this.z);
  }

  /** @param {string} problem  A sentence in the pad's place. */
  say(problem) {
    this.stop();
    this.instrument.say(problem);
  }

  /** @param {NamedAxis[]} axes  Directions with names, each to have a slider. */
  nameAxes(axes) {
    this.instrument.named.show(axes);
    this.instrument.named.point(this.z);
  }

  // Where z is

  refresh() {
    this.instrument.z = this.z;
    this.instrument.refresh();
  }

  draw() {
    this.pending = false;
    this.instrument.draw(this.z);
  }

  /** @param {Float32Array} z */
  move(z) {
    this.z = Float32Array.from(z);
    // The first move in a frame is drawn at once, later ones together at the frame's end.
    if (this.frame) {
      this.pending = true;
      return;
    }
    this.draw();
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.pending) this.draw();
    });
  }

  /**
   * z moved along some axes, along each within the plane.
   *
   * @param {[number, number][]} places  The axis, a latent's index as a rule, and how far along it.
   */
  with(places) {
    const z = Float32Array.from(this.z);
    const { extent } = this.instrument.plane;
    for (const [axis, place] of places) {
      moveAlong(z, axis, Math.min(extent, Math.max(-extent, place)), this.model);
    }
    return z;
  }

  /**
   * A key: it moves z by a step along an axis, or is Home.
   *
   * @param {KeyboardEvent} event
   * @param {[number, number] | undefined} step  The axis and by how much.
   */
  press(event, step) {
    if (!this.model || (!step && event.key !== "Home")) return;
    event.preventDefault();
    this.stop();
    const to = step && placeAlong(this.z, step[0], this.model) + step[1];
    this.move(step && to !== undefined ? this.with([[step[0], to]]) : this.z.map(() => 0));
    this.settling = setTimeout(() => this.settle(), SETTLE_MS);
  }

  // Moving by itself

  /**
   * @param {Float32Array} target
   * @param {boolean} tell  Whether to say where z has come to rest.
   */
  glide(target, tell = true) {
    this.stop();
    const from = Float32Array.from(this.z);
    this.instrument.reach(from, target);
    this.refresh();
    const arrive = () => {
      this.move(target);
      this.instrument.reach(target);
      this.refresh();
      if (tell) this.settle();
    };
    this.motion.glide(from, target, (z) => this.move(z), arrive);
  }

  /** Walk through the data, or through the prior. */
  play() {
    const { model } = this;
    if (!model) return;
    this.stop();
    this.playing = true;
    this.playButton.setAttribute("aria-pressed", "true");
    const count = model.points.length / model.latents;
    const anywhere = () => latentPoint(model, Math.floor(Math.random() * count));
    const knots = nearestFirst(this.z, Array.from({ length: WALK_LEGS }, anywhere));
    this.motion.walk(knots, (z) => this.move(this.with([...z].map((latent, k) => [k, latent]))));
  }

  pause() {
    this.stop();
    this.settle();
  }

  /** Stand still: somebody else moves z, and what is painted or held no longer holds. */
  stop() {
    this.halt();
    this.brush.forget();
    this.pull.forget();
    this.instrument.plane.spread();
  }

  /** Put brush and hand aside. */
  layDown() {
    this.brush.turn(false);
    this.pull.turn(false);
  }

  halt() {
    clearTimeout(this.settling);
    this.motion.stop();
    this.playing = false;
    this.playButton.setAttribute("aria-pressed", "false");
  }

  // What it tells

  /** @param {Float32Array[]} pins */
  keep(pins) {
    if (!this.model) return;
    this.pins = pins.slice(0, MOST_PINS);
    this.trays.set(this.model.model, this.pins);
    this.tray.draw(this.model, this.pins);
    this.settle();
  }

  settle() {
    clearTimeout(this.settling);
    if (!this.model) return;
    this.onSettle({
      z: rounded(this.z),
      pins: this.pins.map(rounded),
      model: this.model.model,
      axes: this.instrument.plane.axes,
      arrows: this.instrument.shown.arrows,
    });
  }
}
