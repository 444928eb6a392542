/** What a lesson is about: a model, faces to explain, and what is known of each. */

/** @import { AnyEncoder } from "./encoder.js" */
/** @import { Evidence } from "./evidence.js" */
/** @import { Model } from "./model.js" */
/** @import { Posterior, Terms } from "./bound.js" */

import { climb, cubature, elbo } from "./bound.js";
import { normals, seeded } from "./chance.js";
import { Decoder } from "./decoder.js";
import { Grid, integrate } from "./evidence.js";
import { Joint } from "./joint.js";
import { colour } from "./paint.js";
import { inSlices } from "./slices.js";

/** How many faces the model makes to be explained. */
const MADE = 8;

/**
 * @typedef {object} Given  A face to explain.
 * @property {Float32Array} x  D pixels.
 * @property {number[]} [z]  Where it was made from, if the model made it.
 */

/**
 * @typedef {object} Answer  What is known of a face.
 * @property {Evidence} evidence
 * @property {{q: Posterior, terms: Terms}} best  The best Gaussian that climbs have found.
 * @property {{q: Posterior, terms: Terms}} [encoder]
 */

export class Subject {
  nodes = cubature();

  /** Whether nobody asks for anything any more. */
  isOver = false;

  /** @type {Map<Given, Answer>} */
  answers = new Map();

  /**
   * @param {Model} model  Of two latents.
   * @param {AnyEncoder | undefined} encoder
   * @param {Uint8Array | undefined} images  Faces of the data, one behind the other.
   */
  constructor(model, encoder, images) {
    this.model = model;
    this.encoder = encoder;
    const { decoder } = model;
    if (!(decoder instanceof Decoder)) throw new TypeError("Lessons are of perceptrons.");
    this.joint = new Joint(decoder.layers());
    this.extent = Math.max(4, Math.ceil(model.extent));
    this.grid = new Grid(this.joint, this.extent);
    /** @type {Given[]} */
    this.made = this.make();
    /** @type {Given[]} */
    this.seen = [];
    const size = this.joint.values;
    for (let at = 0; images && at < images.length; at += size) {
      const bytes = images.subarray(at, at + size);
      this.seen.push({ x: Float32Array.from(bytes, (byte) => byte / 255) });
    }
    this.given = this.made[0];
  }

  /** Faces with the model's own noise, of points of its posterior: the same each time. */
  make() {
    const { model, joint } = this;
    const random = seeded(19);
    const count = model.points.length / 2;
    return Array.from({ length: MADE }, (_, i) => {
      const row = Math.floor(((i + 0.5) * count) / MADE);
      const z = count ? [...model.points.slice(2 * row, 2 * row + 2)] : [...normals(2, random)];
      const { mean, logVar } = joint.decode(z);
      const noise = normals(joint.values, random);
      return { x: mean.map((value, d) => value + Math.exp(logVar[d] / 2) * noise[d]), z };
    });
  }

  /** Whether a face is still the one that is looked at. @param {Given} given */
  isAskedFor(given) {
    return this.given === given && !this.isOver;
  }

  /** @param {Given} given @returns {Posterior | undefined} */
  encoded({ x }) {
    const posterior = this.encoder?.posterior(x);
    return posterior && { mean: [...posterior.mean], deviation: [...posterior.deviation] };
  }

  /**
   * Find out all of a face: log p(x), the posterior, the best Gaussian, the encoder's.
   *
   * @param {Given} given
   * @param {(evidence: Evidence) => void} onEvidence  log p(x) and the posterior come first.
   * @returns {Promise<Answer | undefined>}  Nothing if another was asked for meanwhile.
   */
  async answer(given, onEvidence = () => {}) {
    const known = this.answers.get(given);
    if (known) {
      onEvidence(known.evidence);
      return known;
    }
    const search = this.search(given, onEvidence);
    const answer = await inSlices(search, () => this.isAskedFor(given));
    if (answer) this.answers.set(given, answer);
    return answer;
  }

  /**
   * @param {Given} given
   * @param {(evidence: Evidence) => void} onEvidence
   * @returns {Generator<unknown, Answer>}
   */
  *search(given, onEvidence) {
    const { joint, grid, nodes } = this;
    const seen = this.encoded(given);
    const also = [seen?.mean, given.z].filter((z) => z !== undefined);
    const evidence = yield* integrate(grid, given.x, also);
    onEvidence(evidence);
    yield;
    const [xx, , yy] = evidence.curvature;
    const starts = [{ mean: evidence.peak, deviation: [1 / Math.sqrt(xx), 1 / Math.sqrt(yy)] }];
    if (seen) starts.push(seen);
    /** @type {{q: Posterior, terms: Terms} | undefined} */
    let best;
    for (const start of starts) {
      let here = { q: start, terms: elbo(joint, given.x, start, nodes) };
      for (const step of climb(joint, given.x, start, nodes)) {
        here = step;
        yield;
      }
      if (!best || here.terms.elbo > best.terms.elbo) best = here;
    }
    const encoder = seen && { q: seen, terms: elbo(joint, given.x, seen, nodes) };
    return { evidence, best: best ?? { q: starts[0], terms: elbo(joint, given.x, starts[0], nodes) }, encoder };
  }

  /**
   * Paint an image into a canvas, a pixel a pixel.
   *
   * @param {HTMLCanvasElement} canvas
   * @param {ArrayLike<number>} pixels
   */
  paint(canvas, pixels) {
    const [height, width, channels = 1] = this.model.shape;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const image = new ImageData(width, height);
    colour(Float32Array.from(pixels), channels, image.data);
    canvas.getContext("2d")?.putImageData(image, 0, 0);
  }

  /** @param {ArrayLike<number>} z */
  meanAt(z) {
    return this.model.decoder.decode(Float32Array.from([z[0], z[1]])).mean;
  }
}
