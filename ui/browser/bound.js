/** The ELBO of a diagonal Gaussian q that a person holds, its two terms, its slopes, its climb. */

/** @import { Joint } from "./joint.js" */

/**
 * @typedef {object} Posterior  q(z) = N(mean, diag(deviation²)).
 * @property {number[]} mean
 * @property {number[]} deviation
 */

/**
 * @typedef {object} Terms  In nats.
 * @property {number} logLikelihood  E_q[log p(x|z)]
 * @property {number} kl  KL(q ‖ p(z))
 * @property {number} elbo
 */

/** @typedef {{noise: Float64Array, weights: Float64Array}} Nodes  (L × K), and L that add up to 1. */

const SIGNS = [[1, 1], [1, -1], [-1, 1], [-1, -1]];

/** Smaller or larger deviations than these nobody can hold. */
export const LEAST_DEVIATION = 0.004;
export const MOST_DEVIATION = 3;

/** Minus the logarithm of the prior's density at its peak, of two latents. */
export const LOG_DENSITY = Math.log(2 * Math.PI);

/** How far a mean may go. */
export const FARTHEST = 6;

/** A step of a climb: at most so many deviations, and so much of their logarithm. */
const MOST_STEP = 0.6;
const MOST_STRETCH = 0.25;

/**
 * Twelve nodes of the plane with which the mean over a standard normal is exact for polynomials up
 * to the seventh degree: Stroud, Approximate Calculation of Multiple Integrals (1971), E₂ʳ² 7-1.
 *
 * @returns {Nodes}
 */
export function cubature() {
  const axis = Math.sqrt(6);
  const near = Math.sqrt((9 - 3 * Math.sqrt(5)) / 4);
  const far = Math.sqrt((9 + 3 * Math.sqrt(5)) / 4);
  /** @type {[number[][], number][]} */
  const rings = [
    [[[axis, 0], [-axis, 0], [0, axis], [0, -axis]], 1 / 36],
    [SIGNS.map(([a, b]) => [a * near, b * near]), (5 + 2 * Math.sqrt(5)) / 45],
    [SIGNS.map(([a, b]) => [a * far, b * far]), (5 - 2 * Math.sqrt(5)) / 45],
  ];
  return {
    noise: Float64Array.from(rings.flatMap(([points]) => points.flat())),
    weights: Float64Array.from(rings.flatMap(([, weight]) => Array(4).fill(weight))),
  };
}

/**
 * z = μ + σ ⊙ ε.
 *
 * @param {Posterior} q
 * @param {Float64Array} noise  (L × K)
 */
export function reparametrised({ mean, deviation }, noise) {
  const latents = mean.length;
  return noise.map((e, i) => mean[i % latents] + deviation[i % latents] * e);
}

/**
 * KL(q ‖ p(z)) in closed form: the paper's appendix B.
 *
 * @param {Posterior} q
 */
export function divergence({ mean, deviation }) {
  let sum = 0;
  for (let k = 0; k < mean.length; k++) {
    const variance = deviation[k] ** 2;
    sum += mean[k] ** 2 + variance - 1 - Math.log(variance);
  }
  return sum / 2;
}

/**
 * The ELBO, by given noise.
 *
 * @param {Joint} joint
 * @param {ArrayLike<number>} x
 * @param {Posterior} q
 * @param {Nodes} nodes
 * @returns {Terms}
 */
export function elbo(joint, x, q, { noise, weights }) {
  const found = joint.logLikelihood(x, reparametrised(q, noise));
  const logLikelihood = weights.reduce((sum, weight, l) => sum + weight * found[l], 0);
  const kl = divergence(q);
  return { logLikelihood, kl, elbo: logLikelihood - kl };
}

/**
 * The ELBO and its slopes in the mean and in the logarithm of the deviation, by the paper's
 * estimator: through z = μ + σ ⊙ ε.
 *
 * @param {Joint} joint
 * @param {ArrayLike<number>} x
 * @param {Posterior} q
 * @param {Nodes} nodes
 * @returns {Terms & {inMean: number[], inLogDeviation: number[]}}
 */
export function slopesOfElbo(joint, x, q, { noise, weights }) {
  const latents = q.mean.length;
  const slopes = new Float64Array(noise.length);
  const found = joint.logLikelihood(x, reparametrised(q, noise), slopes);
  const inMean = q.mean.map((mean) => -mean);
  const inLogDeviation = q.deviation.map((deviation) => 1 - deviation ** 2);
  let logLikelihood = 0;
  for (let l = 0; l < weights.length; l++) {
    logLikelihood += weights[l] * found[l];
    for (let k = 0; k < latents; k++) {
      const slope = weights[l] * slopes[l * latents + k];
      inMean[k] += slope;
      inLogDeviation[k] += slope * noise[l * latents + k] * q.deviation[k];
    }
  }
  const kl = divergence(q);
  return { logLikelihood, kl, elbo: logLikelihood - kl, inMean, inLogDeviation };
}

/**
 * Uphill, a step at a time, by the natural gradient: slopes measured in q's own deviations. A
 * step that does not rise is taken again, smaller.
 *
 * @param {Joint} joint
 * @param {ArrayLike<number>} x
 * @param {Posterior} start
 * @param {Nodes} nodes
 * @returns {Generator<{q: Posterior, terms: Terms}, void>}  Ends where nothing more is gained.
 */
export function* climb(joint, x, start, nodes, steps = 200) {
  let q = start;
  let here = slopesOfElbo(joint, x, q, nodes);
  let pace = 1;
  for (let step = 0; step < steps; step++) {
    const { inMean, inLogDeviation } = here;
    const moves = q.deviation.map((deviation, k) => deviation * inMean[k]);
    const length = Math.hypot(...moves);
    const shortened = Math.min(1, MOST_STEP / length) * pace;
    const next = {
      mean: q.mean.map((mean, k) =>
        bounded(mean + shortened * q.deviation[k] * moves[k], -FARTHEST, FARTHEST),
      ),
      deviation: q.deviation.map((deviation, k) => {
        const stretch = bounded(inLogDeviation[k] / 2, -MOST_STRETCH, MOST_STRETCH);
        return bounded(deviation * Math.exp(pace * stretch), LEAST_DEVIATION, MOST_DEVIATION);
      }),
    };
    const there = slopesOfElbo(joint, x, next, nodes);
    const gain = there.elbo - here.elbo;
    if (gain > 0) {
      q = next;
      here = there;
      pace = Math.min(1, 1.5 * pace);
      yield { q, terms: here };
      if (gain < 1e-5 && pace === 1) return;
    } else {
      pace /= 2;
      if (pace < 1e-4) return;
    }
  }
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
export const bounded = (value, least, most) => Math.min(most, Math.max(least, value));

/**
 * Two estimates of the ELBO's slope in q's mean from one sample each, the KL divergence being
 * known: through the sample, and by the score function, log p(x|z) ∇ log q(z).
 *
 * @param {Joint} joint
 * @param {ArrayLike<number>} x
 * @param {Posterior} q
 * @param {Float64Array} noise  (L × K)
 * @returns {{pathwise: Float64Array, score: Float64Array}}  (L × K) each.
 */
export function estimates(joint, x, q, noise) {
  const latents = q.mean.length;
  const pathwise = new Float64Array(noise.length);
  const found = joint.logLikelihood(x, reparametrised(q, noise), pathwise);
  const score = noise.map((e, i) => {
    const k = i % latents;
    pathwise[i] -= q.mean[k];
    return (found[Math.floor(i / latents)] * e) / q.deviation[k] - q.mean[k];
  });
  return { pathwise, score };
}
