/** The instrument: everything that shows z, drawn together. */

/** @import { Choices } from "./choices.js" */
/** @import { Model } from "./model.js" */
/** @import { Arrow } from "./overlay.js" */
/** @import { Label } from "./tint.js" */

import { remembered, show } from "./choices.js";
import { find } from "./dom.js";
import { Face } from "./face.js";
import { Manifold } from "./manifold.js";
import { NamedAxes } from "./named_axes.js";
import { Overlay } from "./overlay.js";
import { Plane } from "./plane.js";
import { placeAlong } from "./projection.js";
import { ServedDecoder } from "./served.js";
import { Sliders } from "./sliders.js";
import { Tint } from "./tint.js";
import { named, written } from "./words.js";

const SERVED =
  "Decoded by the server, as decoders over 64 MB are and those that no browser runs: the face " +
  "follows a little later.";

export class Instrument {
  isServed = false;

  /** @type {Model | undefined} */
  model;

  /** @type {Float32Array} */
  z = new Float32Array(2);

  /** @type {HTMLElement[]}  What stands for each latent in the line that writes z out. */
  numbers = [];

  /**
   * @param {ParentNode} root  What holds the elements of `pad.html`.
   * @param {object} outside
   * @param {(model: Model) => Arrow[]} outside.arrows  The directions known of a model by now.
   * @param {(model: Model) => Label | undefined} outside.label  What its points are coloured by.
   */
  constructor(root, { arrows, label }) {
    this.root = root;
    this.arrows = arrows;
    this.label = label;
    this.box = find(root, ".visage", HTMLElement);
    this.readout = find(root, ".readout", HTMLElement);
    this.face = new Face(root);
    this.plane = new Plane(root);
    this.manifold = new Manifold(root);
    this.overlay = new Overlay(root);
    this.sliders = new Sliders(root);
    this.named = new NamedAxes(root);
    this.tint = new Tint(root, () => this.refresh());
    this.shown = remembered();
    this.show(this.shown);
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.plane.pad);
    this.resizing.observe(this.face.frame);
  }

  destroy() {
    this.resizing.disconnect();
    this.manifold.stop();
  }

  /** @param {Model} model */
  adopt(model) {
    this.model = model;
    this.plane.adopt(model);
    this.face.adopt(model);
    this.offer(model);
  }

  /**
   * Offer what can be shown of a model: of one that the server decodes the face alone, and of one
   * that says nothing of its noise the mean.
   *
   * @param {Model} model
   */
  offer({ decoder, hasNoise }) {
    this.isServed = decoder instanceof ServedDecoder;
    this.box.classList.toggle("by-server", this.isServed);
    const [faces, mean] = ["[name=faces]", "[name=mode][value=mean]"].map((selector) =>
      find(this.root, selector, HTMLInputElement),
    );
    const [switched, modes] = [faces.closest("label"), mean.closest(".segments")];
    if (switched instanceof HTMLElement) switched.hidden = this.isServed;
    if (modes instanceof HTMLElement) modes.hidden = !hasNoise;
    find(this.root, ".hands", HTMLElement).hidden = this.isServed;
    if (!hasNoise && !mean.checked) mean.click();
    this.tellServed("");
  }

  /** @param {string} problem  Why the server gives no face, if it gives none. */
  tellServed(problem) {
    const note = find(this.root, ".served", HTMLElement);
    note.hidden = !this.isServed;
    note.textContent = problem || SERVED;
    note.classList.toggle("failed", Boolean(problem));
  }

  get showsFaces() {
    return this.shown.faces && !this.isServed;
  }

  ready() {
    this.box.dataset.state = "ready";
  }

  /** @param {string} problem  A sentence in the instrument's place. */
  say(problem) {
    this.box.dataset.state = "problem";
    find(this.root, ".notice", HTMLElement).textContent = problem;
  }

  /**
   * Show what the visitor wants to see, and have the controls say so.
   *
   * @param {Choices} choices
   */
  show(choices) {
    this.shown = choices;
    this.box.classList.toggle("pixels", choices.grain === "pixels");
    show(this.root, choices);
  }

  /**
   * Let the plane and the sliders go as far as the model's data and these points do.
   *
   * @param {Float32Array[]} points
   */
  reach(...points) {
    this.plane.fit(...points);
    this.sliders.adopt(points[0].length, this.plane.extent);
  }

  /** Draw all of it, and z in it. */
  refresh() {
    if (!this.model) return;
    this.measure();
    const colours = getComputedStyle(this.box).getPropertyValue("--st-chart-categorical-colors");
    const [cloud, point] = colours.split(/,(?![^(]*\))/);
    if (cloud) this.box.style.setProperty("--cloud", cloud);
    if (point) this.box.style.setProperty("--point", point);
    this.overlay.draw(this.shown.arrows ? this.arrows(this.model) : [], this.plane);
    this.manifold.canvas.hidden = !this.showsFaces;
    this.tint.adopt(this.shown.points ? this.label(this.model) : undefined);
    this.plane.draw({ ...this.shown, faces: this.showsFaces }, this.tint);
    this.draw(this.z);
  }

  /** Give what is drawn over the plane its pixels, and say whether they are others. */
  measure() {
    const pixels = this.plane.measure();
    const canvases = [this.plane.canvas, this.manifold.canvas];
    if (canvases[0].width === pixels) return false;
    for (const canvas of canvases) canvas.width = canvas.height = pixels;
    return true;
  }

  resize() {
    this.face.resize();
    if (this.measure()) this.refresh();
  }

  /**
   * Have the point under a pointer tell its label.
   *
   * @param {PointerEvent} event
   */
  hover(event) {
    const { pad, view } = this.plane;
    const isThere = event.type !== "pointerleave" && !event.buttons && this.shown.points;
    this.tint.point(event, pad.getBoundingClientRect(), isThere ? view : undefined);
  }

  /**
   * Draw what moves with z.
   *
   * @param {Float32Array} z
   */
  draw(z) {
    this.z = z;
    if (!this.model) return;
    this.face.draw(z);
    this.plane.point(z);
    this.overlay.point(z);
    this.sliders.point(z, this.plane.extent);
    this.named.point(z);
    if (this.showsFaces) this.manifold.show(this.plane.view, z);
    const { pad, axes } = this.plane;
    this.tell(z);
    const places = axes.map((axis) => placeAlong(z, axis, this.model));
    pad.setAttribute("aria-valuenow", places[0].toFixed(2));
    const told = axes.map((axis, i) => `${named(axis)} ${written(places[i])}`);
    pad.setAttribute("aria-valuetext", told.join(", "));
  }

  /**
   * Write z out, each of its numbers in a place of its own: as many lines whatever their signs.
   *
   * @param {Float32Array} z
   */
  tell(z) {
    if (this.numbers.length !== z.length) {
      this.numbers = Array.from(z, () => document.createElement("span"));
      const spaced = this.numbers.flatMap((number, k) => (k ? [" ", number] : [number]));
      this.readout.replaceChildren("z = (", ...spaced);
    }
    this.numbers.forEach((number, k) => {
      number.textContent = written(z[k]) + (k + 1 < z.length ? "," : ")");
    });
  }
}
