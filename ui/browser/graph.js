/** Networks of steps, as a model from elsewhere is translated into them (`vae/models/steps.py`). */

/** @import { Layer } from "./dense.js" */
/** @import { Numbers } from "./numbers.js" */

import { standardDeviation } from "./decoder.js";
import { Dense, laidOut } from "./dense.js";
import { room } from "./kernel.js";

/**
 * @typedef {object} Step  What Python says of one: shapes leave out the batch, as all is here.
 * @property {string} op
 * @property {number[]} of  Which values it takes: 0 is the input, the first step gives 1.
 * @property {number[]} sizes
 * @property {number[]} values
 * @property {number[]} shape  Of what it gives.
 * @property {[number, number]} [counts]  How many numbers its weight and its bias have.
 */

/**
 * @typedef {object} Graph
 * @property {Step[]} steps
 * @property {number[]} outputs  The mean's place, and the log-variance's if there is one.
 * @property {number} log_var  The log-variance where there is none.
 */

/**
 * @typedef {object} Value  What a step gives, among the network's numbers.
 * @property {number[]} shape
 * @property {number} place
 * @property {Float32Array} values  Seen there, once all places are taken.
 */

/** @typedef {(taken: Value[], given: Value) => void} Run */

/** The kernel computes so many columns at once. */
const COLUMNS = 8;

/** @param {number[]} shape */
const sizeOf = (shape) => shape.reduce((product, side) => product * side, 1);

/** @param {number} x */
function erf(x) {
  // Abramowitz & Stegun's 7.1.26, as near as float32 shows in an image.
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  const value = 1 - tail * Math.exp(-x * x);
  return x < 0 ? -value : value;
}

/** @type {Record<string, (x: number, a: number, b: number) => number>} */
const SHAPERS = {
  erf,
  softplus: (x) => (x > 20 ? x : Math.log1p(Math.exp(x))),
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  abs: Math.abs,
  leaky_relu: (x, slope) => (x < 0 ? x * slope : x),
  elu: (x, alpha) => (x < 0 ? alpha * Math.expm1(x) : x),
  clip: (x, low, high) => Math.min(high, Math.max(low, x)),
};

/**
 * The place in what a step takes of each value that it gives; -1 where it gives one of its own.
 *
 * @param {Step} step
 * @param {number[]} from  The shape of what it takes.
 */
function placesOf({ op, sizes, shape }, from) {
  const axes = from.length;
  const strides = from.map((_, axis) => sizeOf(from.slice(axis + 1)));
  /**
   * The axis that it is taken along, and the place there.
   *
   * @param {number} at
   * @param {number} axis
   */
  const source = (at, axis) => {
    if (op === "transpose") return [sizes[axis], at];
    if (op === "slice") return [axis, axis === sizes[0] ? at + sizes[1] : at];
    if (op === "pad") return [axis, at - sizes[axis]];
    return [axis, axis < axes - 2 ? at : Math.floor(at / sizes[axis - axes + 2])];
  };
  const table = new Int32Array(sizeOf(shape));
  const at = shape.map(() => 0);
  for (let i = 0; i < table.length; i++) {
    let place = 0;
    for (let axis = 0; axis < axes; axis++) {
      const [own, along] = source(at[axis], axis);
      if (along < 0 || along >= from[own]) {
        place = -1;
        break;
      }
      place += along * strides[own];
    }
    table[i] = place;
    for (let axis = axes - 1; axis >= 0 && ++at[axis] === shape[axis]; axis--) at[axis] = 0;
  }
  return table;
}

/** The products of a weight's rows with columns of values: of a group of channels at a time. */
class Products {
  /**
   * @param {Numbers} numbers
   * @param {Float32Array[]} weights  Of each group, row by row.
   * @param {number} rows  Of each of them.
   * @param {number} columns
   * @param {Float32Array} [bias]  Of all rows.
   */
  constructor(numbers, weights, rows, columns, bias) {
    this.numbers = numbers;
    this.rows = rows;
    this.depth = weights[0].length / rows;
    this.columns = COLUMNS * Math.ceil(columns / COLUMNS);
    this.groups = Math.ceil(rows / 4);
    this.weights = weights.map((weight) => laidOut(numbers, weight, rows, this.depth));
    this.biases = weights.map((_, group) => {
      const place = numbers.take(4 * this.groups);
      if (bias) numbers.values.set(bias.subarray(group * rows, (group + 1) * rows), place);
      return place;
    });
    this.places = numbers.take(this.depth);
    // The columns of each group, in rows that are as long as the kernel wants them.
    this.x = weights.map(() => numbers.take(this.depth * this.columns));
    this.y = numbers.take(4 * this.groups * this.columns);
    for (let k = 0; k < this.depth; k++) {
      numbers.wholes[this.places + k] = 4 * k * this.columns;
    }
  }

  /**
   * Fill `y`, row by row of `columns`.
   *
   * @param {number} group
   */
  apply(group) {
    const { numbers, weights, biases, groups, places, depth, x, y, columns } = this;
    numbers.product(weights[group], biases[group], groups, places, depth, x[group], y, columns);
  }
}

/**
 * Where a kernel slides: which columns of a row are met by a place of it.
 *
 * @param {number} shift  How far that is from the first of them.
 * @param {number} stride
 * @param {number} inside  How many columns there are.
 * @param {number} outside  How many it slides over.
 */
function met(shift, stride, inside, outside) {
  const begin = Math.max(0, Math.ceil(-shift / stride));
  return [begin, Math.min(outside, Math.floor((inside - 1 - shift) / stride) + 1)];
}

/**
 * A convolution: a product of its weight with what each of its places sees.
 *
 * @param {Numbers} numbers
 * @param {Step} step
 * @param {number[]} from
 * @param {Layer} layer  The weight is outputs × channels of a group × height × width.
 * @returns {Run}
 */
function convolution(numbers, { sizes, shape }, [channels, rows, columns], { weight, bias }) {
  const [outputs, high, wide, down, across, above, left, , , tall, broad, groups] = sizes;
  const [, drawnRows, drawnColumns] = shape;
  const [each, own] = [channels / groups, outputs / groups];
  const size = weight.length / groups;
  const weights = Array.from({ length: groups }, (_, g) => weight.subarray(g * size, (g + 1) * size));
  const products = new Products(numbers, weights, own, drawnRows * drawnColumns, bias);
  return ([{ values: x }], { values: y }) => {
    const { values } = numbers;
    for (let group = 0; group < groups; group++) {
      for (let k = 0; k < products.depth; k++) {
        const channel = group * each + Math.floor(k / (high * wide));
        const [i, j] = [Math.floor(k / wide) % high, k % wide];
        const shift = j * broad - left;
        const [begin, end] = met(shift, across, columns, drawnColumns);
        for (let row = 0; row < drawnRows; row++) {
          const line = row * down + i * tall - above;
          // Where it sees nothing there is 0, as at first.
          if (line < 0 || line >= rows) continue;
          const source = (channel * rows + line) * columns + shift;
          const place = products.x[group] + k * products.columns + row * drawnColumns;
          for (let column = begin; column < end; column++) {
            values[place + column] = x[source + column * across];
          }
        }
      }
      products.apply(group);
      for (let output = 0; output < own; output++) {
        const first = products.y + output * products.columns;
        const found = values.subarray(first, first + drawnRows * drawnColumns);
        y.set(found, (group * own + output) * drawnRows * drawnColumns);
      }
    }
  };
}

/**
 * A transposed convolution: what each pixel gives to each place of its kernel is a product of the
 * weight with the pixel's channels, which is then added where it belongs.
 *
 * @param {Numbers} numbers
 * @param {Step} step
 * @param {number[]} from
 * @param {Layer} layer  The weight is channels × outputs of a group × height × width.
 * @returns {Run}
 */
function transposedConvolution(numbers, { sizes, shape }, [channels, rows, columns], layer) {
  const { weight, bias } = layer;
  const [outputs, high, wide, down, across, above, left, , , tall, broad, groups] = sizes;
  const [, drawnRows, drawnColumns] = shape;
  const [each, own] = [channels / groups, outputs / groups];
  const taps = own * high * wide;
  const weights = Array.from({ length: groups }, (_, group) =>
    Float32Array.from({ length: taps * each }, (_weight, at) => {
      const [tap, channel] = [Math.floor(at / each), at % each];
      return weight[(group * each + channel) * taps + tap];
    }),
  );
  const products = new Products(numbers, weights, taps, rows * columns);
  const size = rows * columns;
  return ([{ values: x }], { values: y }) => {
    const { values } = numbers;
    for (let output = 0; output < outputs; output++) {
      const target = output * drawnRows * drawnColumns;
      y.fill(bias[output], target, target + drawnRows * drawnColumns);
    }
    for (let group = 0; group < groups; group++) {
      for (let channel = 0; channel < each; channel++) {
        const first = (group * each + channel) * size;
        const place = products.x[group] + channel * products.columns;
        values.set(x.subarray(first, first + size), place);
      }
      products.apply(group);
      for (let tap = 0; tap < taps; tap++) {
        const output = group * own + Math.floor(tap / (high * wide));
        const [i, j] = [Math.floor(tap / wide) % high, tap % wide];
        const shift = j * broad - left;
        const [begin, end] = met(shift, across, drawnColumns, columns);
        const given = products.y + tap * products.columns;
        for (let row = 0; row < rows; row++) {
          const line = row * down + i * tall - above;
          if (line < 0 || line >= drawnRows) continue;
          const place = (output * drawnRows + line) * drawnColumns + shift;
          const source = given + row * columns;
          for (let column = begin; column < end; column++) {
            y[place + column * across] += values[source + column];
          }
        }
      }
    }
  };
}

/**
 * A dense layer along the last axis.
 *
 * @param {Numbers} numbers
 * @param {Layer} layer
 * @returns {Run}
 */
function affine(numbers, layer) {
  const dense = new Dense(numbers, layer);
  // Rows that do not begin where four numbers do, or end so, are moved.
  const x = numbers.take(dense.in);
  return ([taken], given) => {
    const { values } = numbers;
    const rows = taken.values.length / dense.in;
    for (let row = 0; row < rows; row++) {
      values.set(taken.values.subarray(row * dense.in, (row + 1) * dense.in), x);
      const y = dense.apply(x);
      given.values.set(values.subarray(y, y + dense.out), row * dense.out);
    }
  };
}

/**
 * The largest or the mean of each window.
 *
 * @param {Step} step
 * @param {number[]} from
 * @returns {Run}
 */
function pooling({ op, sizes: [high, wide, down, across], shape }, [, rows, columns]) {
  const [channels, drawnRows, drawnColumns] = shape;
  const isMean = op === "mean_pool";
  return ([{ values: x }], { values: y }) => {
    let place = 0;
    for (let channel = 0; channel < channels; channel++) {
      for (let row = 0; row < drawnRows; row++) {
        for (let column = 0; column < drawnColumns; column++) {
          const first = (channel * rows + row * down) * columns + column * across;
          let found = isMean ? 0 : -Infinity;
          for (let i = 0; i < high; i++) {
            for (let j = 0; j < wide; j++) {
              const value = x[first + i * columns + j];
              found = isMean ? found + value : Math.max(found, value);
            }
          }
          y[place++] = isMean ? found / (high * wide) : found;
        }
      }
    }
  };
}

/**
 * How a step is taken.
 *
 * @param {Numbers} numbers
 * @param {Step} step
 * @param {Value[]} taken
 * @param {Layer | undefined} layer
 * @returns {Run}
 */
function running(numbers, step, taken, layer) {
  const { op, sizes, shape } = step;
  const [{ shape: from }] = taken;
  if (layer) {
    if (op === "conv") return convolution(numbers, step, from, layer);
    if (op === "conv_transpose") return transposedConvolution(numbers, step, from, layer);
    if (op === "affine") return affine(numbers, layer);
    const { weight, bias } = layer;
    const inner = broadcast(sizes, shape);
    return ([{ values: x }], { values: y }) => {
      for (let i = 0; i < y.length; i++) y[i] = x[i] * weight[inner[i]] + bias[inner[i]];
    };
  }
  if (op === "add") {
    return ([{ values: a }, { values: b }], { values: y }) => {
      for (let i = 0; i < y.length; i++) y[i] = a[i] + b[i];
    };
  }
  if (op === "mul") {
    return ([{ values: a }, { values: b }], { values: y }) => {
      for (let i = 0; i < y.length; i++) y[i] = a[i] * b[i];
    };
  }
  if (op === "concat") {
    const blocks = taken.map((value) => sizeOf(value.shape.slice(sizes[0])));
    const all = blocks.reduce((sum, block) => sum + block, 0);
    return (parts, { values: y }) => {
      let start = 0;
      parts.forEach(({ values }, k) => {
        const block = blocks[k];
        for (let i = 0; i * block < values.length; i++) {
          y.set(values.subarray(i * block, (i + 1) * block), i * all + start);
        }
        start += block;
      });
    };
  }
  if (op === "max_pool" || op === "mean_pool") return pooling(step, from);
  if (["transpose", "slice", "pad", "resize"].includes(op)) {
    const table = placesOf(step, from);
    const [own = 0] = step.values;
    return ([{ values: x }], { values: y }) => {
      for (let i = 0; i < y.length; i++) y[i] = table[i] < 0 ? own : x[table[i]];
    };
  }
  if (op === "tanh" || op === "relu" || op === "sigmoid") {
    return ([{ values: x }], { values: y, place }) => {
      y.set(x);
      numbers.curve(op, place, y.length);
    };
  }
  const curve = SHAPERS[op];
  if (!curve) throw new TypeError(`There is no step ${op}.`);
  const [a = 0, b = 0] = step.values;
  return ([{ values: x }], { values: y }) => {
    for (let i = 0; i < y.length; i++) y[i] = curve(x[i], a, b);
  };
}

/**
 * For each value of a shape, which one of a smaller shape stands for it.
 *
 * @param {number[]} small  With 1 where it has but one along an axis.
 * @param {number[]} shape
 */
function broadcast(small, shape) {
  const table = new Int32Array(sizeOf(shape));
  const strides = small.map((side, axis) => (side === 1 ? 0 : sizeOf(small.slice(axis + 1))));
  for (let i = 0; i < table.length; i++) {
    let rest = i;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      table[i] += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
  }
  return table;
}

/**
 * How many weights and biases each of the layers has.
 *
 * @param {Graph} graph
 */
export const countsOf = ({ steps }) =>
  steps.flatMap(({ counts }) => (counts ? [{ weight: counts[0], bias: counts[1] }] : []));

/** Steps with their weights; all arrays are reused from one call to the next. */
export class Steps {
  /**
   * @param {number} inputs  How many values go in.
   * @param {Graph} graph
   * @param {Layer[]} layers  Of the steps that have weights.
   */
  constructor(inputs, { steps, outputs }, layers, numbers = room()) {
    this.outputs = outputs;
    const unseen = new Float32Array();
    /** @type {Value[]} */
    this.values = [{ shape: [inputs], place: numbers.take(inputs), values: unseen }];
    let next = 0;
    /** @type {(() => void)[]} */
    this.runs = [];
    for (const step of steps) {
      const taken = step.of.map((place) => this.values[place]);
      const layer = step.counts ? layers[next++] : undefined;
      const { shape, op } = step;
      const place = op === "reshape" ? taken[0].place : numbers.take(sizeOf(shape));
      const given = { shape, place, values: unseen };
      this.values.push(given);
      if (op === "reshape") continue;
      const run = running(numbers, step, taken, layer);
      this.runs.push(() => run(taken, given));
    }
    // What was seen before all places were taken is no more theirs.
    for (const value of this.values) value.values = numbers.view(value.place, sizeOf(value.shape));
  }

  /**
   * The outputs for an input; arrays that the next call changes.
   *
   * @param {ArrayLike<number>} x
   */
  run(x) {
    this.values[0].values.set(x);
    for (const run of this.runs) run();
    return this.outputs.map((place) => this.values[place].values);
  }
}

/** As `Decoder` is a perceptron's. */
export class StepsDecoder {
  /**
   * @param {number} latents
   * @param {number} values  Of an image.
   * @param {Graph} graph
   * @param {Layer[]} layers
   */
  constructor(latents, values, graph, layers, numbers = room()) {
    this.numbers = numbers;
    this.steps = new Steps(latents, graph, layers, numbers);
    this.mean = new Float32Array(values);
    this.deviation = new Float32Array(values).fill(standardDeviation(graph.log_var));
  }

  /**
   * The mean at z, and if asked for the standard deviation, in units of a pixel's [0, 1].
   *
   * @param {Float32Array} z
   */
  decode(z, withDeviation = false) {
    const [mean, logVar] = this.steps.run(z);
    this.mean.set(mean);
    if (withDeviation && logVar) {
      for (let i = 0; i < logVar.length; i++) this.deviation[i] = standardDeviation(logVar[i]);
    }
    return this;
  }
}
