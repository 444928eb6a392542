/** A model as it travels: what it is, its decoder, the means of its posterior. */

/** @import { Principal } from "./principal.js" */

import { ConvolutionalDecoder, layerSizes } from "./convolution.js";
import { Decoder } from "./decoder.js";
import { countsOf, StepsDecoder } from "./graph.js";
import { Noise, normal } from "./noise.js";
import { Packed } from "./packed.js";
import { ServedDecoder } from "./served.js";

/**
 * @typedef {object} Model
 * @property {string} model
 * @property {string} version
 * @property {number[]} shape
 * @property {number} extent
 * @property {number} latents  K
 * @property {Float32Array} points  The means of the posterior, N × K by rows.
 * @property {Decoder | ConvolutionalDecoder | StepsDecoder | ServedDecoder} decoder
 * @property {Noise} noise  What it expects around the decoder's mean.
 * @property {boolean} hasNoise  Whether it says what that is.
 * @property {Principal} [principal]  Once somebody has asked for the axes of the data.
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
  const { likelihood = "gaussian", freedom, served, noiseless } = header;
  const values = shape.reduce((product, side) => product * side, 1);
  const decoder = decoderOf(packed, values);
  const noise = new Noise(
    likelihood,
    shape,
    freedom,
    packed.floats(likelihood === "correlated" && !served ? 12 * values : 0),
  );
  const steps = new Int16Array(buffer, packed.offset, header.points * sizes[0]);
  const points = Float32Array.from(steps, (step) => step * unit);
  const hasNoise = !served && !noiseless;
  return { model, version, shape, extent, latents: sizes[0], points, decoder, noise, hasNoise };
}

/**
 * The decoder, by what is said of it.
 *
 * @param {Packed} packed
 * @param {number} values  Of an image.
 */
function decoderOf(packed, values) {
  const { shape, sizes, served, graph, convolution, activation } = packed.header;
  const layers = (/** @type {{weight: number, bias: number}[]} */ counts) =>
    counts.map((count) => packed.layer(count));
  if (served) return new ServedDecoder(values);
  if (graph) return new StepsDecoder(sizes[0], values, graph, layers(countsOf(graph)));
  if (convolution) {
    const counts = layerSizes(sizes, values, convolution);
    return new ConvolutionalDecoder(layers(counts), shape, convolution, activation);
  }
  const counts = sizes.slice(1).map((bias, depth) => ({ weight: bias * sizes[depth], bias }));
  return new Decoder(layers(counts), activation);
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
