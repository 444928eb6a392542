/** A model as it travels: what it is, its decoder, the means of its posterior. */

/** @import { Convolution } from "./convolution.js" */

import { ConvolutionalDecoder, layerSizes } from "./convolution.js";
import { Decoder } from "./decoder.js";
import { Noise, normal } from "./noise.js";

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
 * @property {number[]} [kernels]  Of an encoder of convolutions, the values in each weight's rows.
 * @property {string} [likelihood]  The name of its likelihood, Gaussian if there is none.
 * @property {number} [freedom]  The degrees of freedom of Student's t.
 */

/**
 * @typedef {object} Model
 * @property {string} model
 * @property {string} version
 * @property {number[]} shape
 * @property {number} extent
 * @property {number} latents  K
 * @property {Float32Array} points  The means of the posterior, N × K by rows.
 * @property {Decoder | ConvolutionalDecoder} decoder
 * @property {Noise} noise  What it expects around the decoder's mean.
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

/**
 * A model from the buffer that Python packed.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Model}
 */
export function unpack(buffer) {
  const { header, end } = readHeader(new Uint8Array(buffer));
  const { model, version, shape, sizes, extent, unit } = header;
  let offset = end;
  /** @param {number} count */
  const floats = (count) => {
    const array = new Float32Array(buffer, offset, count);
    offset += array.byteLength;
    return array;
  };
  const { likelihood = "gaussian", freedom, convolution, activation } = header;
  const values = shape.reduce((product, side) => product * side, 1);
  const layerCounts = convolution
    ? layerSizes(sizes, values, convolution)
    : sizes.slice(1).map((bias, depth) => ({ weight: bias * sizes[depth], bias }));
  const layers = layerCounts.map(({ weight, bias }) => ({
    weight: floats(weight),
    bias: floats(bias),
  }));
  const noise = new Noise(
    likelihood,
    shape,
    freedom,
    floats(likelihood === "correlated" ? 12 * values : 0),
  );
  const steps = new Int16Array(buffer, offset, header.points * sizes[0]);
  const points = Float32Array.from(steps, (step) => step * unit);
  const decoder = convolution
    ? new ConvolutionalDecoder(layers, shape, convolution, activation)
    : new Decoder(layers, activation);
  return { model, version, shape, extent, latents: sizes[0], points, decoder, noise };
}

/**
 * The posterior's mean in a row, or a sample of the prior where the model carries none.
 *
 * @param {Model} model
 * @param {number} row
 */
export function latentPoint({ points, latents }, row) {
  if (!points.length) return Float32Array.from({ length: latents }, normal);
  return points.slice(row * latents, (row + 1) * latents);
}
