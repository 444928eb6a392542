/**
 * The decoder of sub-pixel convolutions: dense layers, then such that each four channels become
 * the four pixels of a square.
 */

/** @import { Layer } from "./dense.js" */
/** @import { Numbers } from "./numbers.js" */

import { standardDeviation } from "./decoder.js";
import { Dense, laidOut } from "./dense.js";
import { room } from "./kernel.js";

/**
 * @typedef {object} Convolution  What Python says of such a decoder.
 * @property {number} rows  Of the grid that the dense layers give.
 * @property {number} columns  Of it.
 * @property {number} channels  Between two layers.
 */

/** How many values a kernel of 3 × 3 sees of each channel. */
const SEEN = 9;

/** The kernel computes so many columns at once. */
const TOGETHER = 8;

/**
 * Planes of values with zeros around them, one for each channel. A row has one zero behind it,
 * which is also the one before the next row.
 */
export class Planes {
  /**
   * @param {Numbers} numbers
   * @param {number} channels
   * @param {number} height
   * @param {number} width
   */
  constructor(numbers, channels, height, width) {
    this.numbers = numbers;
    this.channels = channels;
    this.height = height;
    this.width = width;
    this.stride = width + 1;
    this.size = (height + 2) * this.stride + 1;
    // Whoever computes some columns at once also looks behind the last plane.
    this.first = numbers.take(channels * this.size + 2 * TOGETHER);
  }

  /**
   * The place of a pixel.
   *
   * @param {number} channel
   * @param {number} y
   * @param {number} x
   */
  at(channel, y, x) {
    return this.first + channel * this.size + (y + 1) * this.stride + x + 1;
  }

  /** @param {number} cells  The place of each channel's rows, one channel after the other. */
  fill(cells) {
    const { height, width } = this;
    const { values } = this.numbers;
    let from = cells;
    for (let channel = 0; channel < this.channels; channel++) {
      for (let y = 0; y < height; y++, from += width) {
        const to = this.at(channel, y, 0);
        for (let x = 0; x < width; x++) values[to + x] = values[from + x];
      }
    }
  }
}

/** A convolution of planes, as large as they are: a matrix product with each pixel's neighbours. */
export class Convolving {
  /**
   * @param {Planes} source  What it takes.
   * @param {Float32Array} weight  Outputs × channels × 3 × 3.
   * @param {Float32Array} [bias]  0 if there is none.
   */
  constructor(source, weight, bias) {
    const { numbers, channels, height, stride, size } = source;
    this.source = source;
    this.depth = channels * SEEN;
    this.outputs = weight.length / this.depth;
    this.groups = Math.ceil(this.outputs / 4);
    this.stride = stride;
    // In the zeros between two rows it gives what nobody looks at.
    this.columns = TOGETHER * Math.ceil((height * stride) / TOGETHER);
    this.weight = laidOut(numbers, weight, this.outputs, this.depth);
    this.bias = numbers.take(4 * this.groups);
    if (bias) numbers.values.set(bias, this.bias);
    this.places = numbers.take(this.depth);
    for (let k = 0; k < this.depth; k++) {
      const [channel, seen] = [Math.floor(k / SEEN), k % SEEN];
      const place = channel * size + Math.floor(seen / 3) * stride + (seen % 3);
      numbers.wholes[this.places + k] = 4 * place;
    }
    this.y = numbers.take(4 * this.groups * this.columns);
  }

  /** Its outputs, row by row of `columns`, of which the first are the planes'. */
  apply() {
    const { numbers, first } = this.source;
    const { weight, bias, groups, places, depth, y, columns } = this;
    numbers.product(weight, bias, groups, places, depth, first, y, columns);
  }

  /** @param {string} activation  The name of what follows. */
  activate(activation) {
    this.source.numbers.curve(activation, this.y, this.outputs * this.columns);
  }

  /**
   * The place of a pixel of an output.
   *
   * @param {number} output
   * @param {number} y
   * @param {number} x
   */
  at(output, y, x) {
    return this.y + output * this.columns + y * this.stride + x;
  }

  /** @param {Planes} target  Twice as high and wide: four outputs are the pixels of a square. */
  enlarge(target) {
    const { height, width, numbers } = this.source;
    const { values } = numbers;
    for (let output = 0; output < this.outputs; output++) {
      const [below, beside] = [(output >> 1) & 1, output & 1];
      for (let y = 0; y < height; y++) {
        const from = this.at(output, y, 0);
        const to = target.at(output >> 2, 2 * y + below, beside);
        for (let x = 0; x < width; x++) values[to + 2 * x] = values[from + x];
      }
    }
  }

  /**
   * The same as an image, of which the outputs may have more than it needs.
   *
   * @param {Float32Array} image  Colours side by side.
   * @param {Float32Array} bias  Each value's own.
   * @param {number} width
   */
  draw(image, bias, width) {
    const { values } = this.source.numbers;
    const colours = this.outputs / 4;
    let place = 0;
    for (let y = 0; place < image.length; y++) {
      for (let x = 0; x < width; x++) {
        let from = this.at(2 * (y & 1) + (x & 1), y >> 1, x >> 1);
        for (let colour = 0; colour < colours; colour++, place++) {
          image[place] = values[from] + bias[place];
          from += 4 * this.columns;
        }
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
    weight: size * (depth < 2 ? sizes[depth] : channels * SEEN),
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
  constructor(layers, shape, convolution, activation = "tanh", numbers = room()) {
    const { rows, columns, channels } = convolution;
    this.activation = activation;
    this.numbers = numbers;
    this.width = shape[1];
    const dense = layers.slice(0, 2);
    const inner = layers.slice(2, -1);
    const { weight, bias } = layers[layers.length - 1];
    const values = bias.length / 2;
    this.z = numbers.take(dense[0].weight.length / dense[0].bias.length);
    this.dense = dense.map((layer) => new Dense(numbers, layer));
    this.planes = Array.from(
      { length: inner.length + 1 },
      (_, stage) => new Planes(numbers, channels, rows << stage, columns << stage),
    );
    this.inner = inner.map(
      (layer, stage) => new Convolving(this.planes[stage], layer.weight, layer.bias),
    );
    const [largest] = this.planes.slice(-1);
    const half = weight.length / 2;
    this.means = new Convolving(largest, weight.subarray(0, half));
    this.logVars = new Convolving(largest, weight.subarray(half));
    this.bias = { mean: bias.slice(0, values), logVar: bias.slice(values) };
    const [mean, deviation] = [numbers.take(values), numbers.take(values)];
    this.first = mean;
    this.mean = numbers.view(mean, values);
    this.deviation = numbers.view(deviation, values);
  }

  /**
   * The mean at z, and if asked for the standard deviation, in units of a pixel's [0, 1].
   *
   * @param {Float32Array} z
   */
  decode(z, withDeviation = false) {
    const { numbers, activation, mean, deviation, bias, width } = this;
    numbers.values.set(z, this.z);
    let x = this.z;
    for (const layer of this.dense) {
      x = layer.apply(x);
      numbers.curve(activation, x, layer.out);
    }
    this.planes[0].fill(x);
    this.inner.forEach((convolving, stage) => {
      convolving.apply();
      convolving.activate(activation);
      convolving.enlarge(this.planes[stage + 1]);
    });
    this.means.apply();
    this.means.draw(mean, bias.mean, width);
    numbers.curve("sigmoid", this.first, mean.length);
    if (withDeviation) {
      this.logVars.apply();
      this.logVars.draw(deviation, bias.logVar, width);
      for (let i = 0; i < deviation.length; i++) deviation[i] = standardDeviation(deviation[i]);
    }
    return this;
  }
}
