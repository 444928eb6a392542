/**
 * log p(x, z), the decoder's joint density of a face and a latent point, and its slopes in z.
 *
 * Many latent points are decoded at once: a row of weights is read for four of them.
 */

/** @import { Layer } from "./dense.js" */

export const LOG_2_PI = Math.log(2 * Math.PI);

/**
 * y[n, i] = weight[i] · x[n] + bias[i], for n points.
 *
 * @param {Layer} layer
 * @param {Float64Array} x  (count × in)
 * @param {number} count
 * @param {Float64Array} y  (count × out)
 */
function affineMany({ weight, bias }, x, count, y) {
  const out = bias.length;
  const width = weight.length / out;
  let n = 0;
  for (; n + 3 < count; n += 4) {
    const a = n * width;
    const b = a + width;
    const c = b + width;
    const d = c + width;
    for (let i = 0; i < out; i++) {
      const row = i * width;
      let p = 0;
      let q = 0;
      let r = 0;
      let s = 0;
      for (let j = 0; j < width; j++) {
        const w = weight[row + j];
        p += w * x[a + j];
        q += w * x[b + j];
        r += w * x[c + j];
        s += w * x[d + j];
      }
      const to = n * out + i;
      y[to] = p + bias[i];
      y[to + out] = q + bias[i];
      y[to + 2 * out] = r + bias[i];
      y[to + 3 * out] = s + bias[i];
    }
  }
  for (; n < count; n++) {
    for (let i = 0; i < out; i++) {
      let sum = 0;
      for (let j = 0; j < width; j++) sum += weight[i * width + j] * x[n * width + j];
      y[n * out + i] = sum + bias[i];
    }
  }
}

/**
 * The way back through a layer, as a layer: its weight transposed, and no bias.
 *
 * @param {Layer} layer
 * @returns {Layer}
 */
function transposed({ weight, bias }) {
  const out = bias.length;
  const width = weight.length / out;
  const turned = new Float32Array(weight.length);
  for (let i = 0; i < out; i++) {
    for (let j = 0; j < width; j++) turned[j * out + i] = weight[i * width + j];
  }
  return { weight: turned, bias: new Float32Array(width) };
}

/** Points decoded at once: what they need stays in the processor's cache. */
const AT_ONCE = 16;

/** A Gaussian decoder with tanh units, in double precision. */
export class Joint {
  /** @type {Layer[] | undefined}  Made when slopes are first asked for. */
  wayBack;

  /** @param {Layer[]} layers  The hidden ones, then the head: means above log-variances. */
  constructor(layers) {
    this.layers = layers;
    this.widths = layers.map(({ bias }) => bias.length);
    this.latents = layers[0].weight.length / layers[0].bias.length;
    this.values = this.widths[this.widths.length - 1] / 2;
    this.outputs = this.widths.map((width) => new Float64Array(AT_ONCE * width));
    this.slopes = [this.latents, ...this.widths].map((width) => new Float64Array(AT_ONCE * width));
    this.input = new Float64Array(AT_ONCE * this.latents);
  }

  /**
   * Run some points through the layers; the head's logits and log-variances are left in `outputs`.
   *
   * @param {ArrayLike<number>} z
   * @param {number} start  Of the first point.
   * @param {number} count
   */
  forward(z, start, count) {
    const { latents, layers, outputs } = this;
    for (let i = 0; i < count * latents; i++) this.input[i] = z[start * latents + i];
    let x = this.input;
    layers.forEach((layer, depth) => {
      const y = outputs[depth];
      affineMany(layer, x, count, y);
      if (depth < layers.length - 1) {
        for (let i = 0; i < count * layer.bias.length; i++) y[i] = Math.tanh(y[i]);
      }
      x = y;
    });
    return x;
  }

  /**
   * The mean and the log-variance of every pixel at some points.
   *
   * @param {ArrayLike<number>} z  (n × K)
   * @returns {{mean: Float32Array, logVar: Float32Array}}  (n × D) each.
   */
  decode(z) {
    const { values, latents } = this;
    const points = z.length / latents;
    const mean = new Float32Array(points * values);
    const logVar = new Float32Array(points * values);
    for (let start = 0; start < points; start += AT_ONCE) {
      const count = Math.min(AT_ONCE, points - start);
      const head = this.forward(z, start, count);
      for (let n = 0; n < count; n++) {
        const from = 2 * n * values;
        const to = (start + n) * values;
        for (let i = 0; i < values; i++) {
          mean[to + i] = 1 / (1 + Math.exp(-head[from + i]));
          logVar[to + i] = head[from + values + i];
        }
      }
    }
    return { mean, logVar };
  }

  /**
   * log p(x | z) at some points, in nats, and if asked for its slopes.
   *
   * @param {ArrayLike<number>} x  D pixels in [0, 1].
   * @param {ArrayLike<number>} z  (n × K)
   * @param {Float64Array} [slopes]  (n × K), to be filled.
   * @returns {Float64Array}
   */
  logLikelihood(x, z, slopes) {
    const { values, latents, layers } = this;
    const points = z.length / latents;
    const found = new Float64Array(points);
    for (let start = 0; start < points; start += AT_ONCE) {
      const count = Math.min(AT_ONCE, points - start);
      const head = this.forward(z, start, count);
      const back = this.slopes[layers.length];
      for (let n = 0; n < count; n++) {
        const from = 2 * n * values;
        let sum = 0;
        for (let i = 0; i < values; i++) {
          const mean = 1 / (1 + Math.exp(-head[from + i]));
          const logVar = head[from + values + i];
          const residual = x[i] - mean;
          const weighed = residual * Math.exp(-logVar);
          const square = residual * weighed;
          sum += logVar + square;
          if (slopes) {
            back[from + i] = weighed * mean * (1 - mean);
            back[from + values + i] = 0.5 * (square - 1);
          }
        }
        found[start + n] = -0.5 * (sum + values * LOG_2_PI);
      }
      if (slopes) this.backward(count, slopes, start);
    }
    return found;
  }

  /**
   * Carry what `slopes` holds of the head back to z.
   *
   * @param {number} count
   * @param {Float64Array} into
   * @param {number} start
   */
  backward(count, into, start) {
    const { layers, outputs, slopes, latents } = this;
    this.wayBack ??= layers.map(transposed);
    for (let depth = layers.length - 1; depth >= 0; depth--) {
      affineMany(this.wayBack[depth], slopes[depth + 1], count, slopes[depth]);
      if (depth === 0) break;
      const units = outputs[depth - 1];
      const slope = slopes[depth];
      const length = count * layers[depth - 1].bias.length;
      for (let i = 0; i < length; i++) slope[i] *= 1 - units[i] * units[i];
    }
    for (let i = 0; i < count * latents; i++) into[start * latents + i] = slopes[0][i];
  }

  /**
   * log p(x, z) at some points, in nats.
   *
   * @param {ArrayLike<number>} x
   * @param {ArrayLike<number>} z  (n × K)
   * @param {Float64Array} [slopes]  (n × K), to be filled.
   */
  logJoint(x, z, slopes) {
    const { latents } = this;
    const found = this.logLikelihood(x, z, slopes);
    for (let n = 0; n < found.length; n++) {
      let square = 0;
      for (let k = 0; k < latents; k++) {
        const value = z[n * latents + k];
        square += value * value;
        if (slopes) slopes[n * latents + k] -= value;
      }
      found[n] -= 0.5 * (square + latents * LOG_2_PI);
    }
    return found;
  }
}
