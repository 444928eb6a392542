/** The plane: which two latents it shows and how far, and where z is on it. */

/** @import { Model } from "./model.js" */
/** @import { View } from "./projection.js" */
/** @import { Tint } from "./tint.js" */

import { drawChart } from "./chart.js";
import { contextOf, find } from "./dom.js";
import { extentFor, project, unproject, withAxis } from "./projection.js";
import { named } from "./words.js";

export class Plane {
  axes = [0, 1];
  own = 4;
  extent = 4;
  side = 0;

  /** @type {Model | undefined} */
  model;

  /** @param {ParentNode} root */
  constructor(root) {
    this.pad = find(root, ".pad", HTMLElement);
    this.canvas = find(root, ".chart", HTMLCanvasElement);
    this.rings = find(root, ".rings", HTMLElement);
    this.cursor = find(root, ".cursor", HTMLElement);
    this.posterior = find(root, ".posterior", HTMLElement);
    this.chooser = find(root, ".axes", HTMLElement);
    this.selects = [...this.chooser.querySelectorAll("select")];
    this.context = contextOf(this.canvas);
  }

  /** @param {Model} model */
  adopt(model) {
    if (this.model?.latents !== model.latents) {
      this.axes = model.latents > 1 ? [0, 1] : [0];
      this.chooser.hidden = model.latents < 3;
      this.selects.forEach((select, i) => {
        const names = Array.from({ length: model.latents }, (_, k) => [named(k), String(k)]);
        select.replaceChildren(...names.map(([name, k]) => new Option(name, k)));
        select.value = String(this.axes[i]);
      });
    }
    // A plane that shrank while a model trains would move everything under the pointer.
    this.own = Math.max(this.model?.model === model.model ? this.own : 0, model.extent);
    this.model = model;
  }

  /** @returns {View | undefined}  What it shows, once it has a model and room. */
  get view() {
    const { model, axes, extent, own, side } = this;
    return model && side ? { model, axes, extent, own, side } : undefined;
  }

  /**
   * Make the plane as wide as the model's data or, where they lie further out, these points.
   *
   * @param {Float32Array[]} points
   */
  fit(...points) {
    this.extent = extentFor(this.own, points);
    this.pad.setAttribute("aria-valuemin", String(-this.extent));
    this.pad.setAttribute("aria-valuemax", String(this.extent));
  }

  /**
   * Choose the latent of one axis; the axis that had it takes the other's.
   *
   * @param {number} axis
   * @param {number} latent
   */
  choose(axis, latent) {
    this.turn(withAxis(this.axes, axis, latent));
  }

  /**
   * Choose the latents of both axes.
   *
   * @param {number[]} axes
   */
  turn(axes) {
    if (axes.length !== this.axes.length) return;
    this.axes = [...axes];
    this.selects.forEach((select, i) => (select.value = String(this.axes[i])));
  }

  /**
   * The latents where a pointer is, by index.
   *
   * @param {{clientX: number, clientY: number}} place
   * @returns {[number, number][]}
   */
  locate(place) {
    const latents = unproject(place, this.pad.getBoundingClientRect(), this.extent);
    return this.axes.map((k, i) => [k, latents[i]]);
  }

  /** @returns {[number, number]}  Where the cursor is, in the window's pixels. */
  middle() {
    const box = this.cursor.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  }

  /** @param {Float32Array} z */
  point(z) {
    const [x, y] = project(z, this);
    this.cursor.style.transform = `translate(${x}px, ${y}px)`;
    this.posterior.style.transform = this.cursor.style.transform;
  }

  /**
   * Draw one standard deviation of a posterior around z, or none.
   *
   * @param {Float32Array} [deviation]
   */
  spread(deviation) {
    this.posterior.hidden = !deviation;
    if (!deviation) return;
    const [rx, ry] = this.axes.map((k) => (deviation[k] * this.side) / (2 * this.extent));
    const { style } = this.posterior;
    // One latent runs across the plane's whole height.
    style.setProperty("--rx", `${rx}px`);
    style.setProperty("--ry", `${ry ?? rx}px`);
  }

  /** @returns {number}  The side in device pixels, of whatever is drawn over the whole plane. */
  measure() {
    this.side = this.pad.clientWidth;
    return Math.round(this.side * devicePixelRatio);
  }

  /**
   * Draw what lies behind the cursor: the prior and the posterior.
   *
   * @param {{faces: boolean, points: boolean}} shown
   * @param {Tint} tint  What colours the points.
   */
  draw({ faces, points }, tint) {
    if (!this.view) return;
    this.pad.classList.toggle("faces", faces);
    const style = getComputedStyle(this.pad);
    const look = {
      points,
      tint,
      // Faces are as dark or light in either theme.
      ink: faces ? "white" : style.color,
      firmness: faces ? 2.2 : 1,
      cloud: style.getPropertyValue("--cloud"),
      font: `11px ${style.fontFamily}`,
      overFaces: faces,
    };
    this.rings.replaceChildren(...drawChart(this.context, this.view, look));
  }
}
