/** The encoder: from an image to its posterior, as the library's model has it. */

/** @import { Convolution } from "./convolution.js" */
/** @import { Graph } from "./graph.js" */
/** @import { Layer } from "./dense.js" */

import { Convolving, Planes } from "./convolution.js";
import { standardDeviation } from "./decoder.js";
import { Dense } from "./dense.js";
import { countsOf, Steps } from "./graph.js";
import { room } from "./kernel.js";
import { Packed } from "./packed.js";

/** @typedef {Pick<Encoder, "shape" | "encode" | "posterior">} AnyEncoder */

export class Encoder {
  /**
   * @param {number[]} shape  An image's height and width, and 3 if it has colours.
   * @param {Layer[]} layers  The hidden ones, then the head: means above log-variances.
   * @param {string} activation  The name of what follows each hidden one.
   */
  constructor(shape, layers, activation = "tanh", numbers = room()) {
    this.activation = activation;
    this.shape = shape;
    this.numbers = numbers;
    this.x = numbers.take(layers[0].weight.length / layers[0].bias.length);
    this.layers = layers.map((layer) => new Dense(numbers, layer));
  }

  /**
   * The posterior of an image.
   *
   * @param {Uint8Array} bytes  D grey levels or colours, row by row.
   * @returns {{mean: Float32Array, deviation: Float32Array}}  K each.
   */
  encode(bytes) {
    return this.posterior(Float32Array.from(bytes, (byte) => byte / 255));
  }

  /**
   * The posterior of pixels that are no whole grey levels.
   *
   * @param {Float32Array} pixels  D of them, in units of [0, 1].
   * @returns {{mean: Float32Array, deviation: Float32Array}}  K each.
   */
  posterior(pixels) {
    this.numbers.values.set(pixels, this.x);
    return this.given();
  }

  /** What the dense layers make of what lies at `x`. */
  given() {
    const { numbers, layers, activation } = this;
    const last = layers.length - 1;
    let x = this.x;
    layers.forEach((layer, depth) => {
      x = layer.apply(x);
      if (depth < last) numbers.curve(activation, x, layer.out);
    });
    const latents = layers[last].out / 2;
    return {
      mean: numbers.view(x, latents).slice(),
      deviation: numbers.view(x + latents, latents).map(standardDeviation),
    };
  }
}

/**
 * The place of a pixel where each square of four has become four channels of one: what
 * `Convolving.enlarge` undoes.
 *
 * @param {Planes} planes
 * @param {number} channel  Of those before.
 * @param {number} y
 * @param {number} x
 */
const folded = (planes, channel, y, x) =>
  planes.at(4 * channel + 2 * (y & 1) + (x & 1), y >> 1, x >> 1);

/** An encoder that begins with convolutions of squares folded into channels. */
export class ConvolutionalEncoder extends Encoder {
  /**
   * @param {number[]} shape  An image's height and width, and 3 if it has colours.
   * @param {Layer[]} layers  The convolutions, then two that are dense.
   * @param {Convolution} convolution
   * @param {Float32Array} meanImage  What is taken from each image.
   * @param {string} activation  The name of what follows each layer but the last.
   */
  constructor(shape, layers, convolution, meanImage, activation = "tanh", numbers = room()) {
    super(shape, layers.slice(-2), activation, numbers);
    const convolutions = layers.slice(0, -2);
    this.meanImage = meanImage;
    let [, , channels = 1] = shape;
    this.convolutions = convolutions.map(({ weight, bias }, stage) => {
      const halvings = convolutions.length - 1 - stage;
      const [rows, columns] = [convolution.rows << halvings, convolution.columns << halvings];
      const planes = new Planes(numbers, 4 * channels, rows, columns);
      channels = bias.length;
      return new Convolving(planes, weight, bias);
    });
  }

  /**
   * @override
   * @param {Float32Array} pixels
   */
  posterior(pixels) {
    const { numbers, activation, convolutions, meanImage } = this;
    const { values } = numbers;
    const [, width, colours = 1] = this.shape;
    // Zeros, which are the mean image, beyond what can be halved so often.
    const outermost = convolutions[0].source;
    for (let place = 0; place < pixels.length; place++) {
      const pixel = Math.floor(place / colours);
      const at = folded(outermost, place % colours, Math.floor(pixel / width), pixel % width);
      values[at] = pixels[place] - meanImage[place];
    }
    convolutions.forEach((convolving, stage) => {
      convolving.apply();
      convolving.activate(activation);
      const { height, width: across } = convolving.source;
      const next = convolutions[stage + 1]?.source;
      let cells = this.x;
      for (let output = 0; output < convolving.outputs; output++) {
        for (let y = 0; y < height; y++) {
          const from = convolving.at(output, y, 0);
          for (let x = 0; x < across; x++) {
            values[next ? folded(next, output, y, x) : cells++] = values[from + x];
          }
        }
      }
    });
    return this.given();
  }
}

/** An encoder of steps. */
export class StepsEncoder {
  /**
   * @param {number[]} shape  An image's height and width, and 3 if it has colours.
   * @param {Graph} graph
   * @param {Layer[]} layers
   * @param {Float32Array} meanImage  What is taken from each image.
   */
  constructor(shape, graph, layers, meanImage) {
    this.shape = shape;
    this.steps = new Steps(meanImage.length, graph, layers);
    this.width = standardDeviation(graph.log_var);
    this.meanImage = meanImage;
  }

  /** As `Encoder` has it. @param {Uint8Array} bytes */
  encode(bytes) {
    return this.posterior(Float32Array.from(bytes, (byte) => byte / 255));
  }

  /** As `Encoder` has it. @param {Float32Array} pixels */
  posterior(pixels) {
    const [mean, logVar] = this.steps.run(pixels.map((pixel, i) => pixel - this.meanImage[i]));
    const deviation = logVar
      ? logVar.map(standardDeviation)
      : new Float32Array(mean.length).fill(this.width);
    return { mean: mean.slice(), deviation };
  }
}

/**
 * An encoder from the buffer that Python packed.
 *
 * @param {ArrayBuffer} buffer
 * @returns {AnyEncoder}
 */
export function unpackEncoder(buffer) {
  const packed = new Packed(buffer);
  const { shape, sizes, kernels = [], convolution, graph, activation } = packed.header;
  if (graph) {
    const held = countsOf(graph).map((count) => packed.layer(count));
    return new StepsEncoder(shape, graph, held, packed.floats(sizes[0]));
  }
  // Of those of convolutions the header says how many values each weight's rows have.
  const layers = sizes.slice(1).map((bias, depth) =>
    packed.layer({ weight: bias * (convolution ? kernels[depth] : sizes[depth]), bias }),
  );
  if (!convolution) return new Encoder(shape, layers, activation);
  return new ConvolutionalEncoder(shape, layers, convolution, packed.floats(sizes[0]), activation);
}
