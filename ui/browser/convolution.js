/**
 * The decoder of sub-pixel convolutions: dense layers, then such that each four channels become
 * the four pixels of a square.
 */

/** @import { Layer } from "./decoder.js" */

import { activations, affine, sigmoid, standardDeviation } from "./decoder.js";

/**
 * @typedef {object} Convolution  What Python says of such a decoder.
 * @property {number} rows  Of the grid that the dense layers give.
 * @property {number} columns  Of it.
 * @property {number} channels  Between two layers.
 */

// A 3 × 3 kernel sees one value beyond each edge; two pixels at once see two beyond the right.
const BEFORE = 1;
const BEYOND = 3;

const KERNEL = 9;

/** Planes of values with zeros around them, one for each channel. */
class Planes {
  /**
   * @param {number} channels
   * @param {number} height
   * @param {number} width
   */
  constructor(channels, height, width) {
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.stride = width + BEYOND;
    this.size = (height + 2 * BEFORE) * this.stride;
    // Double precision is what JavaScript computes in: nothing has to be converted.
    this.values = new Float64Array(channels * this.size);
  }

  /** @param {Float32Array} cells  Each channel's rows, one channel after the other. */
  fill(cells) {
    const { height, width, stride, size, values } = this;
    let place = 0;
    for (let channel = 0; channel < this.channels; channel++) {
      for (let y = 0; y < height; y++) {
        const row = channel * size + (y + BEFORE) * stride + BEFORE;
        for (let x = 0; x < width; x++) values[row + x] = cells[place++];
      }
    }
  }
}

/** A convolution whose channels become pixels, four by four. */
class Enlarging {
  /**
   * @param {Float32Array} weight  (4 × groups) × channels × 3 × 3.
   * @param {Float32Array | null} bias  4 × groups.
   * @param {number} channels  What it takes.
   */
  constructor(weight, bias, channels) {
    this.channels = channels;
    const outputs = weight.length / channels / KERNEL;
    this.bias = Float64Array.from(bias ?? new Float32Array(outputs));
    // The weights of four channels lie side by side.
    this.weight = new Float64Array(weight.length);
    for (let output = 0; output < outputs; output++) {
      for (let i = 0; i < channels * KERNEL; i++) {
        const place = ((output >> 2) * channels * KERNEL + i) * 4 + (output & 3);
        this.weight[place] = weight[output * channels * KERNEL + i];
      }
    }
  }

  /**
   * Some of its planes, twice as high and wide.
   *
   * @param {Planes} source
   * @param {Planes} target
   * @param {number} first  Which of them is the target's first.
   */
  apply(source, target, first = 0) {
    for (let group = 0; group < target.channels; group++) {
      for (let y = 0; y < source.height; y++) this.row(source, target, first + group, group, y);
    }
  }

  /**
   * @param {Planes} source
   * @param {Planes} target
   * @param {number} group  Of the four channels.
   * @param {number} plane  Which they become.
   * @param {number} y
   */
  row(source, target, group, plane, y) {
    const { weight, bias, channels } = this;
    const { values, stride, size, width } = source;
    const drawn = target.values;
    const upper = plane * target.size + (2 * y + BEFORE) * target.stride + BEFORE;
    const lower = upper + target.stride;
    // Two pixels at once: a weight that was read serves both.
    for (let x = 0; x < width; x += 2) {
      let a0 = bias[4 * group];
      let a1 = bias[4 * group + 1];
      let a2 = bias[4 * group + 2];
      let a3 = bias[4 * group + 3];
      let b0 = a0;
      let b1 = a1;
      let b2 = a2;
      let b3 = a3;
      let w = group * channels * KERNEL * 4;
      for (let channel = 0; channel < channels; channel++) {
        let place = channel * size + y * stride + x;
        for (let across = 0; across < 3; across++) {
          let left = values[place];
          let right = values[place + 1];
          for (let beside = 0; beside < 3; beside++) {
            const k0 = weight[w];
            const k1 = weight[w + 1];
            const k2 = weight[w + 2];
            const k3 = weight[w + 3];
            a0 += k0 * left;
            a1 += k1 * left;
            a2 += k2 * left;
            a3 += k3 * left;
            b0 += k0 * right;
            b1 += k1 * right;
            b2 += k2 * right;
            b3 += k3 * right;
            w += 4;
            left = right;
            right = values[place + beside + 2];
          }
          place += stride;
        }
      }
      drawn[upper + 2 * x] = a0;
      drawn[upper + 2 * x + 1] = a1;
      drawn[lower + 2 * x] = a2;
      drawn[lower + 2 * x + 1] = a3;
      if (x + 1 < width) {
        drawn[upper + 2 * x + 2] = b0;
        drawn[upper + 2 * x + 3] = b1;
        drawn[lower + 2 * x + 2] = b2;
        drawn[lower + 2 * x + 3] = b3;
      }
    }
  }
}

/**
 * How many weights and biases each layer has.
 *
 * @param {number[]} sizes  The latents, then what each layer gives.
 * @param {number} values  Of an image.
 * @param {Convolution} convolution
 * @returns {{weight: number, bias: number}[]}
 */
export function layerSizes(sizes, values, { channels }) {
  const last = sizes.length - 2;
  return sizes.slice(1).map((size, depth) => ({
    weight: size * (depth < 2 ? sizes[depth] : channels * KERNEL),
    bias: depth === last ? 2 * values : size,
  }));
}

/** As `Decoder` is a perceptron's; its arrays are reused from one call to the next. */
export class ConvolutionalDecoder {
  /**
   * @param {Layer[]} layers  Two that are dense, those that enlarge, and the last one of these,
   *     whose bias is each value's own: means before log-variances.
   * @param {number[]} shape  An image's height and width, and 3 if it has colours.
   * @param {Convolution} convolution
   * @param {string} activation  The name of what follows each layer but the last.
   */
  constructor(layers, shape, convolution, activation = "tanh") {
    const { rows, columns, channels } = convolution;
    this.activate = activations[activation];
    const [height, width, colours = 1] = shape;
    this.height = height;
    this.width = width;
    this.colours = colours;
    this.dense = layers.slice(0, 2);
    this.units = this.dense.map(({ bias }) => new Float32Array(bias.length));
    const convolutions = layers.slice(2);
    const stages = convolutions.length;
    this.planes = Array.from(
      { length: stages },
      (_, stage) => new Planes(channels, rows << stage, columns << stage),
    );
    this.enlarging = convolutions.map(
      ({ weight, bias }, stage) =>
        new Enlarging(weight, stage < stages - 1 ? bias : null, channels),
    );
    this.drawn = new Planes(colours, rows << stages, columns << stages);
    this.bias = layers[layers.length - 1].bias;
    this.mean = new Float32Array(this.bias.length / 2);
    this.deviation = new Float32Array(this.bias.length / 2);
  }

  /**
   * The mean at z, and if asked for the standard deviation, in units of a pixel's [0, 1].
   *
   * @param {Float32Array} z
   */
  decode(z, withDeviation = false) {
    let x = z;
    this.dense.forEach((layer, depth) => {
      const y = this.units[depth];
      affine(layer, x, y);
      this.activate(y);
      x = y;
    });
    this.planes[0].fill(x);
    for (let stage = 0; stage < this.planes.length - 1; stage++) {
      const larger = this.planes[stage + 1];
      this.enlarging[stage].apply(this.planes[stage], larger);
      // The zeros around them stay zeros.
      this.activate(larger.values);
    }
    const { mean, deviation } = this;
    this.draw(mean, 0);
    for (let i = 0; i < mean.length; i++) mean[i] = sigmoid(mean[i]);
    if (withDeviation) {
      this.draw(deviation, mean.length);
      for (let i = 0; i < deviation.length; i++) deviation[i] = standardDeviation(deviation[i]);
    }
    return this;
  }

  /**
   * What the last layer gives: the image lies in the upper left of its planes.
   *
   * @param {Float32Array} image
   * @param {number} first  The place of its first bias.
   */
  draw(image, first) {
    const { height, width, colours, drawn, bias } = this;
    const last = this.enlarging.length - 1;
    this.enlarging[last].apply(this.planes[last], drawn, first ? colours : 0);
    for (let colour = 0; colour < colours; colour++) {
      for (let y = 0; y < height; y++) {
        const row = colour * drawn.size + (y + BEFORE) * drawn.stride + BEFORE;
        let place = y * width * colours + colour;
        for (let x = 0; x < width; x++) {
          image[place] = drawn.values[row + x] + bias[first + place];
          place += colours;
        }
      }
    }
  }
}
