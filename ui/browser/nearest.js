/** The nearest face that a model can make to what is wanted of some pixels: its latent point. */

/** @import { Model } from "./model.js" */
/** @import { Strokes } from "./strokes.js" */

import { jacobianOf } from "./jacobian.js";

/**
 * @typedef {object} Leaning  What a prior says at a point.
 * @property {number} energy  Twice its negative logarithm, but for a constant.
 * @property {Float64Array} slope  Half its gradient's negative.
 * @property {number} stiffness  Half its curvature, along every latent.
 */

/**
 * The model's own prior.
 *
 * @param {Float32Array} z
 * @returns {Leaning}
 */
const standard = (z) => ({
  energy: z.reduce((sum, latent) => sum + latent * latent, 0),
  slope: Float64Array.from(z, (latent) => -latent),
  stiffness: 1,
});

/** What the distance from where one was weighs beside the prior. */
const HOME = 1;

/**
 * How much of its precision a pixel has in what is painted: neighbours are painted together, so
 * they are not as many wishes.
 */
const HEARD = 0.08;

/** A decoder that is surer of a pixel than this is not heard more for it. */
const LEAST_VARIANCE = 0.05 ** 2;

/** This share of a model's points lies no further out than a face may come to lie. */
const FAR = 0.95;

/** More values than this tell no more, and would take longer than a frame has. */
const MOST_VALUES = 600;

/** How far a step may go, in standard deviations of the prior. */
const LONGEST_STEP = 0.6;

/** A step shorter than this is where it ends. */
const ARRIVED = 2e-3;

/** A whole refusal of steps: what damping begins with, and where it gives up. */
const GENTLE = 1e-2;
const STIFF = 1e6;

/** What a damping becomes after a step that served, and after one that did not. */
const EASED = 0.3;
const BRACED = 8;

export class Nearest {
  /** How strongly steps are held back: Levenberg's and Marquardt's. */
  damping = GENTLE;

  /** @type {number[]}  The values that are asked for, of the D. */
  values = [];

  /** What each of them weighs: by the precision that the decoder has of it at home. */
  precisions = new Float64Array();

  /** What is wanted of each of them. */
  wanted = new Float64Array();

  /** Whether it matters how light all of it is together, channel by channel. */
  heedsLight = true;

  /**
   * @param {Model} model
   * @param {Float32Array} home  Where one was.
   * @param {(z: Float32Array) => Leaning} prior
   */
  constructor(model, home, prior = standard) {
    this.model = model;
    this.prior = prior;
    this.home = Float32Array.from(home);
    this.jacobian = jacobianOf(model.decoder);
    this.deviation = Float32Array.from(model.decoder.decode(this.home, true).deviation);
    this.farthest = Math.max(reachOf(model), Math.hypot(...home));
    this.metric = this.metricAt(this.home);
  }

  /**
   * The decoder's metric at home, of a mean stretch of 1, times what distance weighs: a way that
   * changes all of the face is longer than one that changes little of it.
   *
   * @param {Float32Array} z
   */
  metricAt(z) {
    const latents = z.length;
    const metric = Array.from({ length: latents }, () => new Float64Array(latents));
    const gradient = new Float64Array(latents);
    const count = this.model.decoder.mean.length;
    const every = Math.max(1, count / MOST_VALUES);
    this.jacobian.at(z);
    for (let place = 0; place < count; place += every) {
      const i = Math.floor(place);
      const precision = this.precisionOf(i);
      this.jacobian.value(i, gradient);
      for (let k = 0; k < latents; k++) {
        for (let l = 0; l < latents; l++) metric[k][l] += precision * gradient[k] * gradient[l];
      }
    }
    const mean = metric.reduce((sum, row, k) => sum + row[k], 0) / latents;
    const scale = HOME / Math.max(mean, 1e-9);
    metric.forEach((row, k) => {
      for (let l = 0; l < latents; l++) row[l] *= scale;
      // Where the decoder doesn't look, there is a distance still.
      row[k] += HOME / 10;
    });
    return metric;
  }

  /**
   * Take up what is wanted.
   *
   * @param {Strokes} strokes
   */
  want(strokes) {
    const { channels, firmness } = strokes;
    /** @type {number[]} */
    const painted = [];
    firmness.forEach((firm, pixel) => {
      if (firm > 0.02) painted.push(pixel);
    });
    const most = Math.floor(MOST_VALUES / channels);
    const every = Math.max(1, painted.length / most);
    const chosen = Math.floor(painted.length / every);
    const values = Array.from({ length: chosen }, (_, i) => painted[Math.floor(i * every)]).flatMap(
      (pixel) => Array.from({ length: channels }, (__, channel) => pixel * channels + channel),
    );
    // Those that are left out are heard through the others.
    const heard = (HEARD * every) / channels;
    this.ask(
      values,
      Float64Array.from(values, (i) => strokes.wanted[i]),
      Float64Array.from(
        values,
        (i) => heard * firmness[Math.floor(i / channels)] * this.precisionOf(i),
      ),
    );
  }

  /**
   * Ask for some values.
   *
   * @param {number[]} values  Which of the D.
   * @param {Float64Array} wanted  What they are to be.
   * @param {Float64Array} precisions  What each weighs.
   */
  ask(values, wanted, precisions) {
    this.damping = GENTLE;
    Object.assign(this, { values, wanted, precisions });
  }

  /** @param {number} i  A value, of the D. */
  precisionOf(i) {
    return 1 / Math.max(this.deviation[i] ** 2, LEAST_VARIANCE);
  }

  /**
   * What is to be small at z, half its gradient and the matrix of a Gauss–Newton step there.
   *
   * @param {Float32Array} z
   * @param {boolean} withSlopes  Whether the last two are wanted.
   */
  judge(z, withSlopes = true) {
    const { home, metric, values, wanted, precisions, jacobian, heedsLight } = this;
    const latents = z.length;
    const matrix = Array.from({ length: latents }, () => new Float64Array(latents));
    const slope = new Float64Array(latents);
    const gradient = new Float64Array(latents);
    const channels = this.model.shape[2] ?? 1;
    const lights = Array.from({ length: heedsLight ? 0 : channels }, () => new Light(latents));
    let energy = 0;
    jacobian.at(z, withSlopes);
    values.forEach((i, place) => {
      const mean = jacobian.value(i, gradient);
      const precision = precisions[place];
      const missing = wanted[place] - mean;
      energy += precision * missing * missing;
      if (!heedsLight) lights[i % channels].add(precision, missing, gradient);
      if (!withSlopes) return;
      for (let k = 0; k < latents; k++) {
        slope[k] += precision * gradient[k] * missing;
        for (let l = 0; l <= k; l++) matrix[k][l] += precision * gradient[k] * gradient[l];
      }
    });
    for (const light of lights) energy -= light.leave(slope, matrix);
    const leaning = this.prior(z);
    energy += leaning.energy;
    for (let k = 0; k < latents; k++) {
      slope[k] += leaning.slope[k];
      matrix[k][k] += leaning.stiffness;
      for (let l = 0; l < latents; l++) {
        const pull = metric[k][l] * (z[l] - home[l]);
        energy += pull * (z[k] - home[k]);
        slope[k] -= pull;
        if (l <= k) matrix[k][l] += metric[k][l];
      }
      for (let l = 0; l < k; l++) matrix[l][k] = matrix[k][l];
    }
    return { energy, slope, matrix };
  }

  /**
   * One step towards the nearest face.
   *
   * @param {Float32Array} z
   * @returns {{z: Float32Array, arrived: boolean}}
   */
  step(z) {
    const here = this.judge(z);
    if (!Number.isFinite(here.energy)) return { z, arrived: true };
    while (this.damping < STIFF) {
      const move = solve(here.matrix, here.slope, this.damping);
      const length = Math.hypot(...move);
      const short = Math.min(1, LONGEST_STEP / (length || 1));
      const there = this.bounded(z.map((latent, k) => latent + short * move[k]));
      const { energy } = this.judge(there, false);
      if (energy < here.energy) {
        this.damping = Math.max(1e-4, this.damping * EASED);
        const way = Math.hypot(...there.map((latent, k) => latent - z[k]));
        return { z: there, arrived: way < ARRIVED };
      }
      if (length < ARRIVED) break;
      this.damping *= BRACED;
    }
    this.damping = GENTLE;
    return { z, arrived: true };
  }

  /**
   * A point no further from the origin than the model has faces.
   *
   * @param {Float32Array} z
   */
  bounded(z) {
    const shrunk = Math.min(1, this.farthest / (Math.hypot(...z) || 1));
    return z.map((latent) => latent * shrunk);
  }
}

/** What all values of a channel miss alike, to be left out of what they miss. */
class Light {
  weight = 0;
  missing = 0;

  /** @param {number} latents */
  constructor(latents) {
    this.gradient = new Float64Array(latents);
  }

  /**
   * @param {number} precision
   * @param {number} missing
   * @param {Float64Array} gradient
   */
  add(precision, missing, gradient) {
    this.weight += precision;
    this.missing += precision * missing;
    for (let k = 0; k < gradient.length; k++) this.gradient[k] += precision * gradient[k];
  }

  /**
   * Take it out of the sums; the energy that goes with it is the answer.
   *
   * @param {Float64Array} slope
   * @param {Float64Array[]} matrix  Its lower half.
   */
  leave(slope, matrix) {
    const { weight, missing, gradient } = this;
    if (!weight) return 0;
    for (let k = 0; k < gradient.length; k++) {
      slope[k] -= (gradient[k] * missing) / weight;
      for (let l = 0; l <= k; l++) matrix[k][l] -= (gradient[k] * gradient[l]) / weight;
    }
    return (missing * missing) / weight;
  }
}

/**
 * How far from the origin a model has faces, but for a few of its points.
 *
 * @param {Model} model
 */
function reachOf({ points, latents }) {
  if (!points.length) return Math.sqrt(latents) + 2;
  const far = Float32Array.from({ length: points.length / latents }, (_, row) =>
    Math.hypot(...points.subarray(row * latents, (row + 1) * latents)),
  ).sort();
  return Math.max(1, far[Math.floor(FAR * (far.length - 1))]);
}

/**
 * Solve (A + damping · diag A) x = b by Cholesky's factors; A is positive definite.
 *
 * @param {Float64Array[]} a
 * @param {Float64Array} b
 * @param {number} damping
 */
export function solve(a, b, damping) {
  const size = b.length;
  const lower = a.map((row) => Float64Array.from(row));
  for (let i = 0; i < size; i++) {
    lower[i][i] *= 1 + damping;
    for (let j = 0; j <= i; j++) {
      let sum = lower[i][j];
      for (let k = 0; k < j; k++) sum -= lower[i][k] * lower[j][k];
      lower[i][j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / lower[j][j];
    }
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) x[i] -= lower[i][k] * x[k];
    x[i] /= lower[i][i];
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i] -= lower[k][i] * x[k];
    x[i] /= lower[i][i];
  }
  return x;
}
