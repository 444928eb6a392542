/** The decoder: from a latent point to the mean and the deviation of every pixel. */

/** @import { Layer } from "./dense.js" */

import { Dense } from "./dense.js";
import { room } from "./kernel.js";

/** @param {number} logVar */
export const standardDeviation = (logVar) => Math.exp(logVar / 2);

/**
 * @param {Float32Array} first
 * @param {Float32Array} second  As long.
 */
function behind(first, second) {
  const both = new Float32Array(2 * first.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** A GaussianMLP with a sigmoid on its mean; its arrays are reused from one call to the next. */
export class Decoder {
  /**
   * @param {Layer[]} layers  The hidden ones, then the head: means above log-variances.
   * @param {string} activation  The name of what follows each hidden one.
   */
  constructor(layers, activation = "tanh", numbers = room()) {
    this.activation = activation;
    this.numbers = numbers;
    const { weight, bias } = layers[layers.length - 1];
    const [values, half] = [bias.length / 2, weight.length / 2];
    this.latents = layers[0].weight.length / layers[0].bias.length;
    this.z = numbers.take(this.latents);
    this.hidden = layers.slice(0, -1).map((layer) => new Dense(numbers, layer));
    this.means = new Dense(numbers, {
      weight: weight.subarray(0, half),
      bias: bias.subarray(0, values),
    });
    this.logVars = new Dense(numbers, {
      weight: weight.subarray(half),
      bias: bias.subarray(values),
    });
    // For tangents, which take no bias.
    this.widest = Math.max(this.latents, ...this.hidden.map(({ out }) => out));
    this.none = numbers.take(this.widest);
    this.tangents = [numbers.take(this.widest), numbers.take(this.widest)];
    this.mean = numbers.view(this.means.y, values);
    this.deviation = numbers.view(this.logVars.y, values);
  }

  /** The layers that it was made of. @returns {Layer[]} */
  layers() {
    const [means, logVars] = [this.means.layer(), this.logVars.layer()];
    const head = {
      weight: behind(means.weight, logVars.weight),
      bias: behind(means.bias, logVars.bias),
    };
    return [...this.hidden.map((layer) => layer.layer()), head];
  }

  /**
   * The mean at z, and if asked for the standard deviation, in units of a pixel's [0, 1].
   *
   * @param {Float32Array} z
   */
  decode(z, withDeviation = false) {
    const { numbers, means, logVars, deviation } = this;
    numbers.values.set(z, this.z);
    let x = this.z;
    for (const layer of this.hidden) {
      x = layer.apply(x);
      numbers.curve(this.activation, x, layer.out);
    }
    numbers.curve("sigmoid", means.apply(x), means.out);
    if (withDeviation) {
      logVars.apply(x);
      for (let i = 0; i < deviation.length; i++) deviation[i] = standardDeviation(deviation[i]);
    }
    return this;
  }
}
