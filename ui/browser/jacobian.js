/** The decoder's Jacobian at some values of the image: how each moves with every latent. */

/** @import { Model } from "./model.js" */

import { Decoder } from "./decoder.js";
import { inFours } from "./numbers.js";

/**
 * What may follow a hidden layer: its value at x, and its slope there, given both.
 *
 * @type {Record<string, {value: (x: number) => number, slope: (x: number, y: number) => number}>}
 */
const CURVES = {
  tanh: { value: Math.tanh, slope: (_, y) => 1 - y * y },
  relu: { value: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0) },
  silu: {
    value: (x) => x / (1 + Math.exp(-x)),
    slope: (x, y) => {
      const share = 1 / (1 + Math.exp(-x));
      return share + y * (1 - share);
    },
  },
};

/**
 * The tangents of all K latents go forward through the layers together, and through the head for
 * the values that are asked for alone: what few pixels need costs little, however large the image.
 */
export class Jacobian {
  /** @param {Decoder} decoder */
  constructor(decoder) {
    this.decoder = decoder;
    this.curve = CURVES[decoder.activation];
  }

  /**
   * Move to z: what does not depend on which values are asked for.
   *
   * @param {Float32Array} z
   * @param {boolean} withSlopes  Whether the slopes will be asked for.
   */
  at(z, withSlopes = true) {
    const { numbers, hidden, none, tangents: places } = this.decoder;
    const [from, to] = places.map((place) => numbers.view(place, inFours(this.decoder.widest)));
    numbers.values.set(z, this.decoder.z);
    let x = this.decoder.z;
    /** @type {Float32Array[]}  d x / d z, a row a latent. */
    let tangents = Array.from(withSlopes ? z : [], (_, k) => {
      const unit = new Float32Array(z.length);
      unit[k] = 1;
      return unit;
    });
    for (const layer of hidden) {
      const y = numbers.view(layer.apply(x), layer.out);
      const slopes = new Float32Array(layer.out);
      for (let i = 0; i < layer.out; i++) {
        const sum = y[i];
        y[i] = this.curve.value(sum);
        slopes[i] = this.curve.slope(sum, y[i]);
      }
      tangents = tangents.map((tangent) => {
        from.fill(0);
        from.set(tangent);
        layer.apply(places[0], places[1], none);
        return slopes.map((slope, i) => slope * to[i]);
      });
      x = layer.y;
    }
    this.x = numbers.view(x, hidden[hidden.length - 1]?.out ?? z.length).slice();
    this.tangents = tangents;
    return this;
  }

  /**
   * The mean of one value.
   *
   * @param {number} i  Which of the D.
   * @param {Float64Array} gradient  Where how it moves with each latent goes, if that was wanted.
   */
  value(i, gradient) {
    const { x, tangents } = this;
    if (!x || !tangents) throw new TypeError("The Jacobian is nowhere yet.");
    const { means, numbers } = this.decoder;
    const { values } = numbers;
    const row = means.row(i);
    let logit = values[means.bias + i];
    for (let j = 0; j < x.length; j++) logit += values[row + 4 * j] * x[j];
    const mean = 1 / (1 + Math.exp(-logit));
    const slope = mean * (1 - mean);
    for (let k = 0; k < tangents.length; k++) {
      const tangent = tangents[k];
      let sum = 0;
      for (let j = 0; j < tangent.length; j++) sum += values[row + 4 * j] * tangent[j];
      gradient[k] = slope * sum;
    }
    return mean;
  }
}

/** How far apart the images are that a difference is taken of. */
const APART = 0.02;

/** The same of a decoder that is no perceptron: by differences, an image a latent. */
export class Differences {
  /** @type {Float32Array[]} */
  others = [];

  /** Where they are differences, and where the image is. */
  slopesAt = new Float32Array();
  meanAt = new Float32Array();

  /** @param {Model['decoder']} decoder */
  constructor(decoder) {
    this.decoder = decoder;
    this.mean = new Float32Array(decoder.mean.length);
  }

  /** @param {Float32Array} z */
  at(z, withSlopes = true) {
    if (!isThere(z, this.meanAt)) {
      this.mean.set(this.decoder.decode(z).mean);
      this.meanAt = Float32Array.from(z);
    }
    if (!withSlopes || isThere(z, this.slopesAt)) return this;
    for (let k = 0; k < z.length; k++) {
      const moved = Float32Array.from(z);
      moved[k] += APART;
      this.others[k] ??= new Float32Array(this.mean.length);
      this.others[k].set(this.decoder.decode(moved).mean);
    }
    this.slopesAt = Float32Array.from(z);
    return this;
  }

  /**
   * @param {number} i
   * @param {Float64Array} gradient
   */
  value(i, gradient) {
    const mean = this.mean[i];
    this.others.forEach((other, k) => (gradient[k] = (other[i] - mean) / APART));
    return mean;
  }
}

/**
 * @param {Float32Array} z
 * @param {Float32Array} other
 */
const isThere = (z, other) => z.length === other.length && z.every((x, k) => x === other[k]);

/**
 * The Jacobian of a decoder, by what it is.
 *
 * @param {Model['decoder']} decoder
 */
export const jacobianOf = (decoder) =>
  decoder instanceof Decoder ? new Jacobian(decoder) : new Differences(decoder);
