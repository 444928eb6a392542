/** The face: what is seen of the decoder at z, its mean, a sample or its uncertainty. */

/** @import { Model } from "./model.js" */

import { contextOf, find } from "./dom.js";
import { latentPoint } from "./model.js";
import { colour, heat, inferno } from "./paint.js";

/** At how many points of the posterior the deviation's ceiling is looked for. */
const CEILING_POINTS = 32;

export class Face {
  mode = "mean";

  /** @type {Model | undefined} */
  model;

  /** @type {Float32Array}  The noise of a sample, until other is asked for. */
  noise = new Float32Array();

  channels = 1;

  /** The deviation at which the heat map ends, once it has been measured. */
  ceiling = 0;

  /** @param {ParentNode} root */
  constructor(root) {
    this.frame = find(root, ".frame", HTMLElement);
    this.canvas = find(root, ".face", HTMLCanvasElement);
    // What is painted lies on the face, pixel on pixel, and so do hands.
    this.canvases = [this.canvas, find(root, ".paint", HTMLCanvasElement)];
    this.layers = [...this.canvases, find(root, ".pull", SVGElement)];
    this.noiseButton = find(root, ".noise", HTMLButtonElement);
    this.legend = find(root, ".legend", HTMLElement);
    this.context = contextOf(this.canvas);
    this.image = new ImageData(1, 1);
    const stops = [0, 51, 102, 153, 204, 255].map((i) => `rgb(${inferno.slice(3 * i, 3 * i + 3)})`);
    find(this.legend, "i", HTMLElement).style.background = `linear-gradient(90deg, ${stops})`;
  }

  /** @param {Model} model */
  adopt(model) {
    const hasOtherNoise = this.model?.noise.likelihood !== model.noise.likelihood;
    this.model = model;
    const [height, width, channels = 1] = model.shape;
    this.channels = channels;
    if (this.image.width !== width || this.image.height !== height) {
      this.image = new ImageData(width, height);
      for (const canvas of this.canvases) Object.assign(canvas, { width, height });
    }
    if (this.noise.length !== model.decoder.mean.length || hasOtherNoise) this.redrawNoise();
    this.ceiling = 0;
    this.resize();
  }

  /** @param {string} mode  `mean`, `sample` or `deviation`. */
  show(mode) {
    this.mode = mode;
    this.noiseButton.hidden = mode !== "sample";
    this.legend.hidden = mode !== "deviation";
  }

  redrawNoise() {
    this.noise = this.model?.noise.draw() ?? new Float32Array();
  }

  /**
   * Find the deviation at which the heat map ends: the same for every z, so that shades compare.
   *
   * @param {Model} model
   */
  measureCeiling(model) {
    const { decoder, points, latents, noise } = model;
    const count = points.length / latents;
    const all = new Float32Array(CEILING_POINTS * decoder.deviation.length);
    for (let i = 0; i < CEILING_POINTS; i++) {
      const z = latentPoint(model, Math.floor((i * count) / CEILING_POINTS));
      all.set(noise.spread(decoder.decode(z, true).deviation), i * decoder.deviation.length);
    }
    all.sort();
    this.ceiling = all[Math.floor(0.995 * (all.length - 1))];
    find(this.legend, ".ceiling", HTMLElement).textContent = this.ceiling.toPrecision(2);
  }

  /** @param {Float32Array} z */
  draw(z) {
    if (!this.model) return;
    const { decoder, noise } = this.model;
    const rgba = this.image.data;
    if (this.mode === "deviation") {
      if (!this.ceiling) this.measureCeiling(this.model);
      heat(noise.spread(decoder.decode(z, true).deviation), this.channels, this.ceiling, rgba);
    } else if (this.mode === "sample") {
      const { mean, deviation } = decoder.decode(z, true);
      colour(noise.addTo(mean, deviation, this.noise), this.channels, rgba);
    } else {
      colour(decoder.decode(z).mean, this.channels, rgba);
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /** Each pixel becomes a square of whole device pixels, as large as fits. */
  resize() {
    if (!this.model) return;
    const [height, width] = this.model.shape;
    const box = this.frame.getBoundingClientRect();
    const fit = Math.min(box.width / width, box.height / height) * devicePixelRatio;
    const scale = (fit >= 1 ? Math.floor(fit) : fit) / devicePixelRatio;
    /** @param {number} length */
    const snap = (length) => Math.round(length * devicePixelRatio) / devicePixelRatio;
    for (const { style } of this.layers) {
      style.width = `${width * scale}px`;
      style.height = `${height * scale}px`;
      style.left = `${snap((box.width - width * scale) / 2)}px`;
      style.top = `${snap((box.height - height * scale) / 2)}px`;
    }
  }
}
