/** The encoder: from an image to its posterior, as the library's model has it. */

/** @import { Convolution } from "./convolution.js" */
/** @import { Layer } from "./decoder.js" */

import { activations, affine } from "./decoder.js";
import { Packed } from "./packed.js";

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

/**
 * Each square of four pixels as four channels of one, with zeros beyond the image: what an
 * `Enlarging` undoes.
 *
 * @param {Float64Array} planes  Each channel's rows, one channel after the other.
 * @param {number} channels
 * @param {number} height
 * @param {number} width
 */
function folded(planes, channels, height, width) {
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const values = new Float64Array(4 * channels * rows * columns);
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const output = 4 * channel + 2 * (y & 1) + (x & 1);
        values[(output * rows + (y >> 1)) * columns + (x >> 1)] =
          planes[(channel * height + y) * width + x];
      }
    }
  }
  return values;
}

/**
 * A convolution of planes, as large as they are, with zeros beyond them.
 *
 * @param {Float64Array} planes  Each channel's rows, one channel after the other.
 * @param {Layer} layer  The weight is outputs × channels × 3 × 3.
 * @param {number} height
 * @param {number} width
 */
function convolved(planes, { weight, bias }, height, width) {
  const size = height * width;
  const channels = planes.length / size;
  const values = new Float64Array(bias.length * size);
  let w = 0;
  bias.forEach((own, output) => {
    const target = values.subarray(output * size, (output + 1) * size).fill(own);
    for (let channel = 0; channel < channels; channel++) {
      for (let down = -1; down < 2; down++) {
        for (let across = -1; across < 2; across++) {
          const kernel = weight[w++];
          const right = Math.min(width, width - across);
          for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
            const source = channel * size + (y + down) * width + across;
            for (let x = Math.max(0, -across); x < right; x++) {
              target[y * width + x] += kernel * planes[source + x];
            }
          }
        }
      }
    }
  });
  return values;
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
  const packed = new Packed(buffer);
  const { shape, sizes, kernels = [], convolution, activation } = packed.header;
  // Of those of convolutions the header says how many values each weight's rows have.
  const layers = sizes.slice(1).map((width, depth) => ({
    weight: packed.floats(width * (convolution ? kernels[depth] : sizes[depth])),
    bias: packed.floats(width),
  }));
  if (!convolution) return new Encoder(shape, layers, activation);
  return new ConvolutionalEncoder(shape, layers, convolution, packed.floats(sizes[0]), activation);
}
