/** The plane: which two latents it shows and how far, and where z is on it. */

/** @import { Model } from "./model.js" */
/** @import { Principal } from "./principal.js" */
/** @import { View } from "./projection.js" */
/** @import { Tint } from "./tint.js" */

import { drawChart } from "./chart.js";
import { contextOf, find } from "./dom.js";
import { principalAxes } from "./principal.js";
import {
  DATA_AXES,
  deviationAlong,
  extentFor,
  placeAlong,
  project,
  unproject,
  withAxis,
} from "./projection.js";
import { named } from "./words.js";

export class Plane {
  axes = [0, 1];

  /** The latents that it showed last. */
  latents = [0, 1];

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
    const other = this.model?.latents !== model.latents;
    if (other) this.axes = this.latents = model.latents > 1 ? [0, 1] : [0];
    this.chooser.hidden = model.latents < 3;
    if (other || Boolean(this.model?.points.length) !== Boolean(model.points.length)) {
      this.selects.forEach((select, i) => {
        const axes = Array.from({ length: model.latents }, (_, k) => k);
        // The data has axes of its own where it is known.
        if (model.points.length) axes.push(DATA_AXES[i]);
        select.replaceChildren(...axes.map((axis) => new Option(named(axis), String(axis))));
      });
    }
    // Axes that have found the data stay with it while a model trains.
    const before = this.model?.model === model.model ? this.model.principal : undefined;
    if (this.axes[0] < 0) {
      if (model.points.length) this.findData(model, before);
      else this.axes = this.latents;
    }
    this.selects.forEach((select, i) => (select.value = String(this.axes[i])));
    // A plane that shrank while a model trains would move everything under the pointer.
    this.own = Math.max(this.model?.model === model.model ? this.own : 0, model.extent);
    this.model = model;
  }

  /** @returns {View | undefined}  What it shows, once it has a model and room. */
  get view() {
    const { model, axes, extent, side } = this;
    const own = this.ordinary;
    return model && side ? { model, axes, extent, own, side } : undefined;
  }

  /**
   * Make the plane as wide as the model's data or, where they lie further out, these points.
   *
   * @param {Float32Array[]} points
   */
  fit(...points) {
    const places = points.map((z) => [...z, ...this.axes.map((k) => placeAlong(z, k, this.model))]);
    this.extent = extentFor(this.ordinary, places);
    this.pad.setAttribute("aria-valuemin", String(-this.extent));
    this.pad.setAttribute("aria-valuemax", String(this.extent));
  }

  /** How far it goes where no point lies further out: what is seen along its axes is in it. */
  get ordinary() {
    const reach = this.axes[0] < 0 ? (this.model?.principal?.reach ?? 0) : 0;
    return Math.max(this.own, Math.ceil(2 * reach) / 2);
  }

  /**
   * Choose the latent of one axis; the axis that had it takes the other's. An axis of the data
   * brings the other one.
   *
   * @param {number} axis
   * @param {number} latent
   */
  choose(axis, latent) {
    this.turn(latent < 0 ? DATA_AXES : withAxis(this.latents, axis, latent));
  }

  /**
   * Choose both axes, if the model has them.
   *
   * @param {number[]} axes
   */
  turn(axes) {
    if (axes.length !== this.axes.length) return;
    const { model } = this;
    if (axes[0] < 0) {
      if (!model?.points.length || model.latents < 3) return;
      if (!model.principal) this.findData(model);
    } else {
      this.latents = [...axes];
    }
    this.axes = [...axes];
    this.selects.forEach((select, i) => (select.value = String(this.axes[i])));
  }

  /**
   * @param {Model} model
   * @param {Principal} [before]
   */
  findData(model, before) {
    model.principal = principalAxes(model.points, model.latents, before);
  }

  /**
   * How far along its axes a pointer is.
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
    const unit = this.side / (2 * this.extent);
    const [rx, ry] = this.axes.map((k) => deviationAlong(deviation, k, this.model) * unit);
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
