/** A recording: models in a row, those of one run or of several, as Python wrote them. */

/** @import { Layer } from "./dense.js" */

import { Decoder } from "./decoder.js";

/**
 * @typedef {object} Figures  Means over a set, in nats an image.
 * @property {number} elbo
 * @property {number} logLikelihood
 * @property {number} kl
 */

/**
 * @typedef {object} Moment  A model of the recording.
 * @property {number} at  The step, or β.
 * @property {Figures} training
 * @property {Figures} heldout
 * @property {number[]} kl  Of each latent, the largest first where there are more than two.
 * @property {number} active  How many latents are in use.
 */

/**
 * @typedef {object} Told
 * @property {number[]} shape
 * @property {number} unit  What one step of a mean is worth.
 * @property {"step" | "beta"} axis
 * @property {Moment[]} frames
 * @property {number[]} images  How many there are in the training set and in the validation set.
 * @property {number[][]} [curve]  Step, and the ELBO on both sets.
 * @property {number} [batch]
 */

/** @typedef {{dtype: string, shape: number[], data_offsets: [number, number]}} Entry */

/**
 * A number of half precision.
 *
 * @param {number} bits
 */
function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}

/** All of them: a table is read faster than the bits are. */
const HALVES = Float32Array.from({ length: 65536 }, (_, bits) => half(bits));

export class Recorded {
  /** @type {Map<number, Decoder>} */
  decoders = new Map();

  /** @param {ArrayBuffer} buffer  A safetensors file. */
  constructor(buffer) {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    const text = new TextDecoder().decode(new Uint8Array(buffer, 8, length));
    const { __metadata__: said, ...entries } = JSON.parse(text);
    this.buffer = buffer;
    this.start = 8 + length;
    /** @type {Record<string, Entry>} */
    this.entries = entries;
    /** @type {Told} */
    this.told = JSON.parse(said.visage);
    this.count = this.told.frames.length;
  }

  /**
   * An array by its name; of integers, each times the unit.
   *
   * @param {string} name
   * @returns {Float32Array}
   */
  numbers(name) {
    const { dtype, data_offsets: offsets } = this.entries[name];
    const [from, to] = offsets.map((offset) => this.start + offset);
    const bytes = this.buffer.slice(from, to);
    if (dtype === "F32") return new Float32Array(bytes);
    if (dtype === "F16") return Float32Array.from(new Uint16Array(bytes), (bits) => HALVES[bits]);
    return Float32Array.from(new Int16Array(bytes), (step) => step * this.told.unit);
  }

  /**
   * @param {number} place
   * @param {"encoder" | "decoder"} network
   */
  layers(place, network) {
    /** @type {Layer[]} */
    const found = [];
    for (;;) {
      const name = `${place}.${network}.${found.length}`;
      if (!(`${name}.weight` in this.entries)) return found;
      found.push({ weight: this.numbers(`${name}.weight`), bias: this.numbers(`${name}.bias`) });
    }
  }

  /** The decoder of a model. @param {number} place */
  decoder(place) {
    let decoder = this.decoders.get(place);
    if (!decoder) {
      decoder = new Decoder(this.layers(place, "decoder"));
      this.decoders.set(place, decoder);
    }
    return decoder;
  }

  /** What people call a model by. @param {number} place */
  nameOf(place) {
    const { axis, frames } = this.told;
    const { at } = frames[place];
    return axis === "beta" ? `β = ${at}` : `step ${at.toLocaleString("en")}`;
  }

  /** How many latents a model has. */
  get latents() {
    return this.told.frames[0].kl.length;
  }

  /**
   * The means of a model's posterior over a set, in its first two latents.
   *
   * @param {number} place
   */
  points(place, set = "training") {
    const name = `${place}.${set}`;
    return name in this.entries ? this.numbers(name) : new Float32Array();
  }

  /**
   * The means of some images of a set in all latents: the same images for every model.
   *
   * @param {number} place
   * @param {"training" | "heldout"} set
   */
  shown(place, set) {
    const all = this.numbers(`${place}.shown.${set}`);
    const { latents } = this;
    return Array.from({ length: all.length / latents }, (_, i) =>
      all.subarray(i * latents, (i + 1) * latents),
    );
  }
}
