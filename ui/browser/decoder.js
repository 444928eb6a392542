/** The decoder: from a latent point to the mean and the deviation of every pixel. */

/** @typedef {{weight: Float32Array, bias: Float32Array}} Layer  The weight is (out × in). */

/** @param {number} logit */
export const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));

/**
 * What may follow a hidden layer, in place. Each has a loop of its own: none chooses at every unit.
 *
 * @type {Record<string, (y: Float32Array | Float64Array) => void>}
 */
export const activations = {
  tanh(y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.tanh(y[i]);
  },
  relu(y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.max(y[i], 0);
  },
  silu(y) {
    for (let i = 0; i < y.length; i++) y[i] *= sigmoid(y[i]);
  },
};

/** @param {number} logVar */
export const standardDeviation = (logVar) => Math.exp(logVar / 2);

/**
 * y[i] = weight[first + i] · x + bias[first + i], for as many i as y has.
 *
 * @param {Layer} layer
 * @param {Float32Array} x
 * @param {Float32Array} y
 */
export function affine({ weight, bias }, x, y, first = 0) {
  const width = x.length;
  const even = width - (width % 4);
  for (let i = 0; i < y.length; i++) {
    const row = (first + i) * width;
    // Four sums at once: one alone waits on each addition before it can start the next.
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let j = 0;
    for (; j < even; j += 4) {
      a += weight[row + j] * x[j];
      b += weight[row + j + 1] * x[j + 1];
      c += weight[row + j + 2] * x[j + 2];
      d += weight[row + j + 3] * x[j + 3];
    }
    for (; j < width; j++) a += weight[row + j] * x[j];
    y[i] = a + b + c + d + bias[first + i];
  }
}

/** A GaussianMLP with a sigmoid on its mean; its arrays are reused from one call to the next. */
export class Decoder {
  /**
   * @param {Layer[]} layers  The hidden ones, then the head: means above log-variances.
   * @param {string} activation  The name of what follows each hidden one.
   */
  constructor(layers, activation = "tanh") {
    this.activation = activation;
    this.activate = activations[activation];
    this.hidden = layers.slice(0, -1);
    this.head = layers[layers.length - 1];
    this.units = this.hidden.map(({ bias }) => new Float32Array(bias.length));
    this.mean = new Float32Array(this.head.bias.length / 2);
    this.deviation = new Float32Array(this.head.bias.length / 2);
  }

  /**
   * The mean at z, and if asked for the standard deviation, in units of a pixel's [0, 1].
   *
   * @param {Float32Array} z
   */
  decode(z, withDeviation = false) {
    let x = z;
    this.hidden.forEach((layer, depth) => {
      const y = this.units[depth];
      affine(layer, x, y);
      this.activate(y);
      x = y;
    });
    const { mean, deviation } = this;
    affine(this.head, x, mean);
    for (let i = 0; i < mean.length; i++) mean[i] = sigmoid(mean[i]);
    if (withDeviation) {
      affine(this.head, x, deviation, mean.length);
      for (let i = 0; i < deviation.length; i++) deviation[i] = standardDeviation(deviation[i]);
    }
    return this;
  }
}
