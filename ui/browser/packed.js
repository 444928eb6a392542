/** A network as Python packs it: what is said of it, and its numbers. */

/** @import { Convolution } from "./convolution.js" */
/** @import { Layer } from "./dense.js" */
/** @import { Graph } from "./graph.js" */

/**
 * @typedef {object} Header  What Python says of a model, before its arrays.
 * @property {string} channel  The pad that it is for.
 * @property {string} model  What stays the same while it trains.
 * @property {string} version  What changes with its weights.
 * @property {number[]} shape  An image's height and width, and 3 if it has colours.
 * @property {number[]} sizes  The latents, the units of each hidden layer, what the head gives.
 * @property {number} points  How many means of the posterior there are.
 * @property {number} unit  What one step of a mean is worth.
 * @property {number} extent  The half-width of its plane.
 * @property {string} [activation]  What follows each hidden layer, tanh if it says nothing.
 * @property {Convolution} [convolution]  Of a decoder that is no perceptron.
 * @property {Graph} [graph]  Of a network of steps.
 * @property {boolean} [served]  Whether the decoder stays on the server.
 * @property {boolean} [noiseless]  Whether nothing is said of the noise around the mean.
 * @property {number[]} [kernels]  Of an encoder of convolutions, the values in each weight's rows.
 * @property {boolean} [half]  Whether weights are of float16.
 * @property {string} [likelihood]  The name of its likelihood, Gaussian if there is none.
 * @property {number} [freedom]  The degrees of freedom of Student's t.
 */

/**
 * What is said of a packed model.
 *
 * @param {Uint8Array} bytes
 * @returns {{header: Header, end: number}}  The header, and where the arrays begin.
 */
export function readHeader(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  return { header: JSON.parse(text), end: 4 + length };
}

/** The value of a number so small that it has no leading one. */
const SMALLEST = 2 ** -24;

/**
 * Numbers of float16, none of them infinite, as float32.
 *
 * @param {Uint16Array} halves
 */
export function widened(halves) {
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    // Sign and digits move to where float32 has them; the exponent counts from 127, not 15.
    if (half & 0x7c00) bits[i] = ((half & 0x8000) << 16) | (((half & 0x7fff) << 13) + 0x38000000);
    else values[i] = (half & 0x8000 ? -SMALLEST : SMALLEST) * (half & 0x3ff);
  }
  return values;
}

/** Its numbers, in the order in which they lie. */
export class Packed {
  /** @param {ArrayBuffer} buffer */
  constructor(buffer) {
    const { header, end } = readHeader(new Uint8Array(buffer));
    this.buffer = buffer;
    this.header = header;
    this.offset = end;
  }

  /** @param {number} count */
  floats(count) {
    const array = new Float32Array(this.buffer, this.offset, count);
    this.offset += array.byteLength;
    return array;
  }

  /**
   * As `floats`; float16 where the header says so.
   *
   * @param {number} count
   */
  weights(count) {
    if (!this.header.half) return this.floats(count);
    const array = new Uint16Array(this.buffer, this.offset, count);
    this.offset += 4 * Math.ceil(count / 2);
    return widened(array);
  }

  /**
   * A layer's weight and bias.
   *
   * @param {{weight: number, bias: number}} counts
   * @returns {Layer}
   */
  layer({ weight, bias }) {
    return { weight: this.weights(weight), bias: this.floats(bias) };
  }
}
