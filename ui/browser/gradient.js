/** A model that learns here: the gradient of a minibatch's ELBO in every weight, and Adam's step. */

/** @import { Terms } from "./bound.js" */
/** @import { Layer } from "./dense.js" */

import { LOG_2_PI } from "./joint.js";

/** @typedef {{weight: Float64Array, bias: Float64Array}} Wide  A layer, or what belongs to it. */

/**
 * @typedef {object} Passed  What a minibatch of M faces meets on its way.
 * @property {Float64Array} mean  Of q, (M × K).
 * @property {Float64Array} deviation
 * @property {Float64Array} z
 * @property {Float64Array} face  The decoder's mean, (M × D).
 * @property {Float64Array} noise  The decoder's deviation, (M × D).
 * @property {Terms[]} terms  Of each face.
 * @property {Terms} average
 */

/**
 * @typedef {object} Slopes  Of each face's ELBO, (M × K) each.
 * @property {Float64Array} inMean
 * @property {Float64Array} inLogDeviation
 */

/** Adam's constants: Kingma & Ba (2015). */
const KEPT = [0.9, 0.999];
const NEARLY_NOTHING = 1e-8;

export class Learner {
  steps = 0;

  /**
   * @param {Layer[]} encoder  Perceptrons with tanh, as they travel.
   * @param {Layer[]} decoder
   */
  constructor(encoder, decoder) {
    const all = [...encoder, ...decoder];
    const size = all.reduce((sum, { weight, bias }) => sum + weight.length + bias.length, 0);
    this.weights = new Float64Array(size);
    this.gradient = new Float64Array(size);
    this.firstMoment = new Float64Array(size);
    this.secondMoment = new Float64Array(size);
    const own = views(all, this.weights);
    own.forEach(({ weight, bias }, i) => {
      weight.set(all[i].weight);
      bias.set(all[i].bias);
    });
    const slopes = views(all, this.gradient);
    this.encoder = own.slice(0, encoder.length);
    this.decoder = own.slice(encoder.length);
    this.inEncoder = slopes.slice(0, encoder.length);
    this.inDecoder = slopes.slice(encoder.length);
    this.latents = decoder[0].weight.length / decoder[0].bias.length;
    this.values = decoder[decoder.length - 1].bias.length / 2;
  }

  /**
   * The way of a minibatch through both networks.
   *
   * @param {ArrayLike<number>} x  (M × D)
   * @param {ArrayLike<number>} epsilon  (M × K)
   * @returns {Passed & {seen: Float64Array[], made: Float64Array[]}}
   */
  pass(x, epsilon) {
    const { latents, values } = this;
    const count = x.length / values;
    const seen = forward(this.encoder, Float64Array.from(x), count);
    const head = seen[seen.length - 1];
    const mean = new Float64Array(count * latents);
    const deviation = new Float64Array(count * latents);
    for (let n = 0; n < count; n++) {
      for (let k = 0; k < latents; k++) {
        mean[n * latents + k] = head[2 * n * latents + k];
        deviation[n * latents + k] = Math.exp(head[(2 * n + 1) * latents + k] / 2);
      }
    }
    const z = mean.map((value, i) => value + deviation[i] * epsilon[i]);
    const made = forward(this.decoder, z, count);
    const out = made[made.length - 1];
    const face = new Float64Array(count * values);
    const noise = new Float64Array(count * values);
    const terms = Array.from({ length: count }, (_, n) => {
      let logLikelihood = 0;
      for (let d = 0; d < values; d++) {
        const at = n * values + d;
        const logVar = out[(2 * n + 1) * values + d];
        face[at] = 1 / (1 + Math.exp(-out[2 * n * values + d]));
        noise[at] = Math.exp(logVar / 2);
        logLikelihood -= 0.5 * (LOG_2_PI + logVar + ((x[at] - face[at]) / noise[at]) ** 2);
      }
      let kl = 0;
      for (let k = n * latents; k < (n + 1) * latents; k++) {
        kl += 0.5 * (mean[k] ** 2 + deviation[k] ** 2 - 1) - Math.log(deviation[k]);
      }
      return { logLikelihood, kl, elbo: logLikelihood - kl };
    });
    /** @param {keyof Terms} name */
    const over = (name) => terms.reduce((sum, term) => sum + term[name], 0) / count;
    const average = {
      logLikelihood: over("logLikelihood"),
      kl: over("kl"),
      elbo: over("elbo"),
    };
    return { mean, deviation, z, face, noise, terms, average, seen, made };
  }

  /**
   * The gradient of the mean ELBO of a minibatch, by the paper's estimator: it fills `gradient`.
   *
   * @param {ArrayLike<number>} x  (M × D)
   * @param {ArrayLike<number>} epsilon  (M × K)
   * @returns {Passed & Slopes}
   */
  slope(x, epsilon) {
    const { latents, values } = this;
    const passed = this.pass(x, epsilon);
    const { mean, deviation, face, noise, seen, made } = passed;
    const count = x.length / values;
    const back = new Float64Array(2 * count * values);
    for (let n = 0; n < count; n++) {
      for (let d = 0; d < values; d++) {
        const at = n * values + d;
        const residual = (x[at] - face[at]) / noise[at];
        back[2 * n * values + d] = (residual / noise[at]) * face[at] * (1 - face[at]);
        back[(2 * n + 1) * values + d] = 0.5 * (residual ** 2 - 1);
      }
    }
    this.gradient.fill(0);
    const inZ = backward(this.decoder, made, back, count, this.inDecoder);
    const inMean = inZ.map((slope, i) => slope - mean[i]);
    const inLogDeviation = inZ.map(
      (slope, i) => slope * epsilon[i] * deviation[i] + 1 - deviation[i] ** 2,
    );
    const backToQ = new Float64Array(2 * count * latents);
    for (let n = 0; n < count; n++) {
      for (let k = 0; k < latents; k++) {
        backToQ[2 * n * latents + k] = inMean[n * latents + k];
        // Half of it: the head gives the logarithm of the variance.
        backToQ[(2 * n + 1) * latents + k] = inLogDeviation[n * latents + k] / 2;
      }
    }
    backward(this.encoder, seen, backToQ, count, this.inEncoder);
    for (let i = 0; i < this.gradient.length; i++) this.gradient[i] /= count;
    return { ...passed, inMean, inLogDeviation };
  }

  /** Adam's step uphill. @param {number} rate */
  climb(rate) {
    const { weights, gradient, firstMoment, secondMoment } = this;
    this.steps++;
    const [a, b] = KEPT;
    const [first, second] = KEPT.map((share) => 1 - share ** this.steps);
    for (let i = 0; i < weights.length; i++) {
      const slope = gradient[i];
      firstMoment[i] = a * firstMoment[i] + (1 - a) * slope;
      secondMoment[i] = b * secondMoment[i] + (1 - b) * slope * slope;
      weights[i] +=
        (rate * (firstMoment[i] / first)) / (Math.sqrt(secondMoment[i] / second) + NEARLY_NOTHING);
    }
  }

  /** The length of the gradient, over all weights. */
  get steepness() {
    return Math.sqrt(this.gradient.reduce((sum, slope) => sum + slope * slope, 0));
  }
}

/**
 * The parts of one long array that belong to each layer.
 *
 * @param {Layer[]} layers
 * @param {Float64Array} all
 * @returns {Wide[]}
 */
function views(layers, all) {
  let at = 0;
  /** @param {number} length */
  const next = (length) => all.subarray(at, (at += length));
  return layers.map(({ weight, bias }) => ({
    weight: next(weight.length),
    bias: next(bias.length),
  }));
}

/**
 * What each layer is given, and last what the head gives.
 *
 * @param {Wide[]} layers
 * @param {Float64Array} x  (count × in)
 * @param {number} count
 */
function forward(layers, x, count) {
  const passed = [x];
  layers.forEach(({ weight, bias }, depth) => {
    const input = passed[depth];
    const out = bias.length;
    const width = weight.length / out;
    const y = new Float64Array(count * out);
    const isHead = depth === layers.length - 1;
    for (let n = 0; n < count; n++) {
      for (let i = 0; i < out; i++) {
        let sum = bias[i];
        for (let j = 0; j < width; j++) sum += weight[i * width + j] * input[n * width + j];
        y[n * out + i] = isHead ? sum : Math.tanh(sum);
      }
    }
    passed.push(y);
  });
  return passed;
}

/**
 * Back through the layers: adds to what belongs to their weights.
 *
 * @param {Wide[]} layers
 * @param {Float64Array[]} passed  What `forward` gave.
 * @param {Float64Array} slopes  Of what the head gave, (count × out).
 * @param {number} count
 * @param {Wide[]} into
 * @returns {Float64Array}  The slopes of what the first layer was given.
 */
function backward(layers, passed, slopes, count, into) {
  let back = slopes;
  for (let depth = layers.length - 1; depth >= 0; depth--) {
    const { weight, bias } = layers[depth];
    const input = passed[depth];
    const out = bias.length;
    const width = weight.length / out;
    const further = new Float64Array(count * width);
    for (let n = 0; n < count; n++) {
      for (let i = 0; i < out; i++) {
        const slope = back[n * out + i];
        into[depth].bias[i] += slope;
        for (let j = 0; j < width; j++) {
          into[depth].weight[i * width + j] += slope * input[n * width + j];
          further[n * width + j] += slope * weight[i * width + j];
        }
      }
    }
    if (depth > 0) {
      for (let i = 0; i < further.length; i++) further[i] *= 1 - input[i] * input[i];
    }
    back = further;
  }
  return back;
}
