/** A model as it travels: what it is, its decoder, the means of its posterior. */

import { ConvolutionalDecoder, layerSizes } from "./convolution.js";
import { Decoder } from "./decoder.js";
import { countsOf, StepsDecoder } from "./graph.js";
import { Noise, normal } from "./noise.js";
import { Packed } from "./packed.js";

/**
 * @typedef {object} Model
 * @property {string} model
 * @property {string} version
 * @property {number[]} shape
 * @property {number} extent
 * @property {number} latents  K
 * @property {Float32Array} points  The means of the posterior, N × K by rows.
 * @property {Decoder | ConvolutionalDecoder | StepsDecoder} decoder
 * @property {Noise} noise  What it expects around the decoder's mean.
 */

/**
 * A model from the buffer that Python packed.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Model}
 */
export function unpack(buffer) {
  const packed = new Packed(buffer);
  const { header } = packed;
  const { model, version, shape, sizes, extent, unit } = header;
  const { likelihood = "gaussian", freedom, convolution, graph, activation } = header;
  const values = shape.reduce((product, side) => product * side, 1);
  const layerCounts = graph
    ? countsOf(graph)
    : convolution
      ? layerSizes(sizes, values, convolution)
      : sizes.slice(1).map((bias, depth) => ({ weight: bias * sizes[depth], bias }));
  const layers = layerCounts.map(({ weight, bias }) => ({
    weight: packed.floats(weight),
    bias: packed.floats(bias),
  }));
  const noise = new Noise(
    likelihood,
    shape,
    freedom,
    packed.floats(likelihood === "correlated" ? 12 * values : 0),
  );
  const steps = new Int16Array(buffer, packed.offset, header.points * sizes[0]);
  const points = Float32Array.from(steps, (step) => step * unit);
  const decoder = graph
    ? new StepsDecoder(sizes[0], values, graph, layers)
    : convolution
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
