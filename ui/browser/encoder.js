/** The encoder: from an image to its posterior, as the library's model has it. */

/** @import { Convolution } from "./convolution.js" */
/** @import { Layer } from "./decoder.js" */

import { convolved, folded } from "./convolution.js";
import { activations, affine } from "./decoder.js";
import { readHeader } from "./model.js";

export class Encoder {
  /**
   * @param {number[]} shape  An image's height and width, and 3 if it has colours.
   * @param {Layer[]} layers  The hidden ones, then the head: means above log-variances.
   * @param {string} activation  The name of what follows each hidden one.
   */
  constructor(shape, layers, activation = "tanh") {
    this.activate = activations[activation];
    this.shape = shape;
    this.layers = layers;
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
    let x = pixels;
    this.layers.forEach((layer, depth) => {
      const y = new Float32Array(layer.bias.length);
      affine(layer, x, y);
      if (depth < this.layers.length - 1) this.activate(y);
      x = y;
    });
    const latents = x.length / 2;
    return {
      mean: x.slice(0, latents),
      deviation: x.slice(latents).map((logVar) => Math.exp(logVar / 2)),
    };
  }
}

/** An encoder that begins with convolutions of squares folded into channels. */
export class ConvolutionalEncoder extends Encoder {
  /**
   * @param {number[]} shape  An image's height and width, and 3 if it has colours.
   * @param {Layer[]} layers  The convolutions, then two that are dense.
   * @param {Convolution} convolution
   * @param {Float32Array} meanImage  What is taken from each image.
   * @param {string} activation  The name of what follows each layer but the last.
   */
  constructor(shape, layers, convolution, meanImage, activation = "tanh") {
    super(shape, layers.slice(-2), activation);
    this.convolutions = layers.slice(0, -2);
    this.convolution = convolution;
    this.meanImage = meanImage;
  }

  /**
   * @override
   * @param {Float32Array} pixels
   */
  posterior(pixels) {
    const [, , colours = 1] = this.shape;
    const stages = this.convolutions.length;
    // Zeros, which are the mean image, beyond what can be halved so often.
    let height = this.convolution.rows << stages;
    let width = this.convolution.columns << stages;
    let planes = new Float64Array(colours * height * width);
    for (let place = 0; place < pixels.length; place++) {
      const pixel = Math.floor(place / colours);
      const [y, x] = [Math.floor(pixel / this.shape[1]), pixel % this.shape[1]];
      planes[((place % colours) * height + y) * width + x] = pixels[place] - this.meanImage[place];
    }
    for (const layer of this.convolutions) {
      planes = folded(planes, planes.length / (height * width), height, width);
      height /= 2;
      width /= 2;
      planes = convolved(planes, layer, height, width);
      this.activate(planes);
    }
    return super.posterior(Float32Array.from(planes));
  }
}

/**
 * An encoder from the buffer that Python packed.
 *
 * @param {ArrayBuffer} buffer
 */
export function unpackEncoder(buffer) {
  const { header, end } = readHeader(new Uint8Array(buffer));
  let offset = end;
  /** @param {number} count */
  const floats = (count) => {
    const array = new Float32Array(buffer, offset, count);
    offset += array.byteLength;
    return array;
  };
  const { shape, sizes, kernels = [], convolution, activation } = header;
  // Of those of convolutions the header says how many values each weight's rows have.
  const layers = sizes.slice(1).map((width, depth) => ({
    weight: floats(width * (convolution ? kernels[depth] : sizes[depth])),
    bias: floats(width),
  }));
  if (!convolution) return new Encoder(shape, layers, activation);
  return new ConvolutionalEncoder(shape, layers, convolution, floats(sizes[0]), activation);
}
