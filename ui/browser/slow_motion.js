/** One step in slow motion: minibatch, encode, sample, decode, compare, gradient. */

/** @import { Passed, Slopes } from "./gradient.js" */
/** @import { Recorded } from "./recorded.js" */
/** @import { Reel } from "./reel.js" */
/** @import { Spot } from "./field.js" */

import { nats } from "./balance.js";
import { normals, seeded } from "./chance.js";
import { find } from "./dom.js";
import { label, NEAR } from "./field.js";
import { Learner } from "./gradient.js";
import { paintFace, paintSpread } from "./reel.js";
import { arrow } from "./reparametrise.js";
import { tuple } from "./words.js";

/** How many faces a minibatch has here. */
const FACES = 8;

/** Adam's rate. */
export const RATE = 1e-3;

/** The longest arrow, in CSS pixels. */
const LONGEST = 70;

/** The parts of a step, in their order. */
const STAGES = ["minibatch", "encode", "sample", "decode", "compare", "gradient"];

/** Those that leave marks on the plane. */
const ENCODE = STAGES.indexOf("encode");
const SAMPLE = STAGES.indexOf("sample");
const GRADIENT = STAGES.indexOf("gradient");

/** A difference that is all black or white. */
const CONTRAST = 0.5;

export class SlowMotion {
  stage = 0;
  chosen = 0;
  taken = 0;

  /** The mean ELBO before the first step. @type {number | undefined} */
  before;

  /** @type {(Passed & Slopes) | undefined} */
  passed;

  /**
   * @param {HTMLElement} section
   * @param {Record<string, string>} palette
   * @param {Reel} reel
   */
  constructor(section, palette, reel) {
    this.section = section;
    this.box = find(section, ".slow", HTMLElement);
    this.palette = palette;
    this.reel = reel;
    this.batch = find(section, ".batch", HTMLElement);
    this.inputs = [...section.querySelectorAll("[name=stage]")].map(
      (input) => /** @type {HTMLInputElement} */ (input),
    );
    for (const input of this.inputs) {
      input.addEventListener("change", () => this.show(Number(input.value)));
    }
    /** @type {Record<string, () => void>} */
    const actions = {
      on: () => this.next(),
      epsilon: () => this.redraw(),
      climb: () => this.climb(1),
      ten: () => this.climb(10),
      again: () => this.begin(),
    };
    for (const [name, act] of Object.entries(actions)) {
      find(section, `.slow [name=${name}]`, HTMLButtonElement).addEventListener("click", act);
    }
  }

  /** @param {Recorded} recorded */
  load(recorded) {
    this.recorded = recorded;
    this.x = made(recorded);
    this.epsilon = normals(FACES * recorded.latents, seeded(11));
    const size = this.x.length / FACES;
    this.faces = Array.from({ length: FACES }, (_, n) => {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", `Face ${n + 1}`);
      const [given, decoded] = [0, 1].map(() => {
        const canvas = document.createElement("canvas");
        canvas.className = "face";
        button.append(canvas);
        return canvas;
      });
      paintFace(given, recorded, this.x?.subarray(n * size, (n + 1) * size) ?? []);
      button.addEventListener("click", () => this.choose(n));
      return { button, decoded };
    });
    this.batch.replaceChildren(...this.faces.map(({ button }) => button));
  }

  /** The networks as they were at this step of the run. */
  begin() {
    const { recorded, reel } = this;
    if (!recorded) return;
    const [encoder, decoder] = /** @type {const} */ (["encoder", "decoder"]).map((network) =>
      recorded.layers(reel.place, network),
    );
    this.learner = new Learner(encoder, decoder);
    this.taken = 0;
    this.before = undefined;
    this.measure();
    this.show(this.stage);
  }

  /** Other ε. */
  redraw() {
    this.epsilon = normals(FACES * (this.recorded?.latents ?? 2));
    this.before = undefined;
    this.taken = 0;
    this.measure();
    this.tell();
  }

  measure() {
    const { learner, x, epsilon } = this;
    if (!learner || !x || !epsilon) return;
    this.passed = learner.slope(x, epsilon);
    this.before ??= this.passed.average.elbo;
  }

  /** Adam's steps with these faces and this noise. @param {number} steps */
  climb(steps) {
    for (let step = 0; step < steps; step++) {
      this.learner?.climb(RATE);
      this.taken++;
      this.measure();
    }
    this.tell();
  }

  /** @param {number} place */
  choose(place) {
    this.chosen = place;
    this.tell();
  }

  next() {
    this.show((this.stage + 1) % STAGES.length);
  }

  /** @param {number} stage */
  show(stage) {
    this.stage = stage;
    this.inputs.forEach((input, i) => (input.checked = i === stage));
    this.box.dataset.stage = STAGES[stage];
    for (const part of this.box.querySelectorAll("[data-from]")) {
      const element = /** @type {HTMLElement} */ (part);
      element.classList.toggle("later", STAGES.indexOf(element.dataset.from ?? "") > stage);
    }
    for (const part of this.box.querySelectorAll("[data-of]")) {
      /** @type {HTMLElement} */ (part).hidden = /** @type {HTMLElement} */ (part).dataset.of !== STAGES[stage];
    }
    find(this.box, "[name=on]", HTMLButtonElement).textContent =
      stage === STAGES.length - 1 ? "Begin again" : `Next: ${STAGES[stage + 1]}`;
    this.tell();
  }

  tell() {
    const { passed, recorded, chosen, box, learner, x } = this;
    if (!passed || !recorded || !learner || !x) return;
    const size = learner.values;
    const { latents } = learner;
    /** @param {Float64Array} all */
    const own = (all) => all.subarray(chosen * size, (chosen + 1) * size);
    /** @param {Float64Array} all */
    const pair = (all) =>
      tuple(Float32Array.from(all.subarray(chosen * latents, (chosen + 1) * latents)));
    this.faces?.forEach(({ button, decoded }, n) => {
      button.setAttribute("aria-pressed", String(n === chosen));
      paintFace(decoded, recorded, passed.face.subarray(n * size, (n + 1) * size));
    });
    const [given, face, noise] = [x, passed.face, passed.noise].map(own);
    paintFace(find(box, ".given", HTMLCanvasElement), recorded, given);
    paintFace(find(box, ".decoded", HTMLCanvasElement), recorded, face);
    paintSpread(find(box, ".spread", HTMLCanvasElement), recorded, noise);
    const difference = given.map((value, d) => 0.5 + (value - face[d]) / (2 * CONTRAST));
    paintFace(find(box, ".difference", HTMLCanvasElement), recorded, difference);
    const terms = passed.terms[chosen];
    const { average } = passed;
    /** @type {Record<string, string>} */
    const texts = {
      mean: pair(passed.mean),
      deviation: pair(passed.deviation),
      epsilon: pair(this.epsilon ?? passed.mean),
      z: pair(passed.z),
      "own-likelihood": nats(terms.logLikelihood),
      "own-kl": nats(terms.kl),
      "own-elbo": nats(terms.elbo),
      "all-likelihood": nats(average.logLikelihood),
      "all-kl": nats(average.kl),
      "all-elbo": nats(average.elbo),
      "in-mean": pair(passed.inMean),
      "in-deviation": pair(passed.inLogDeviation),
      weights: learner.weights.length.toLocaleString("en"),
      steepness: nats(learner.steepness, 0),
    };
    for (const [name, text] of Object.entries(texts)) {
      for (const place of box.querySelectorAll(`[data-figure="${name}"]`)) place.textContent = text;
    }
    const gain = average.elbo - (this.before ?? average.elbo);
    find(box, ".climbed", HTMLElement).textContent = this.taken
      ? `${this.taken === 1 ? "One step" : `${this.taken} steps`}: the mean ELBO went from ${nats(this.before ?? 0)} to ${nats(average.elbo)}, ${gain < 0 ? "down" : "up"} ${nats(Math.abs(gain))} nats.`
      : `The mean ELBO of the ${FACES} faces is ${nats(average.elbo)} nats.`;
    find(box, "[name=again]", HTMLButtonElement).disabled = !this.taken;
    this.reel.field.refresh();
  }

  /** Whether a press chooses a face. @param {Spot} at */
  press(at) {
    const { passed, reel } = this;
    if (!passed || this.stage < ENCODE) return false;
    let [nearest, distance] = [-1, NEAR];
    for (let n = 0; n < FACES; n++) {
      for (const [from, values] of /** @type {[number, Float64Array][]} */ ([
        [ENCODE, passed.mean],
        [SAMPLE, passed.z],
      ])) {
        const [left, top] = reel.field.pixels(values.subarray(2 * n, 2 * n + 2));
        const away = this.stage < from ? Infinity : Math.hypot(left - at[0], top - at[1]);
        if (away < distance) [nearest, distance] = [n, away];
      }
    }
    if (nearest >= 0) this.choose(nearest);
    return true;
  }

  /** What there is of the minibatch on the plane. */
  draw() {
    const { passed, stage, palette, chosen } = this;
    const { field } = this.reel;
    const { context } = field;
    if (!passed || stage < ENCODE) return;
    const scale = LONGEST / Math.max(...lengths(passed.inMean), 1e-9);
    // The chosen one comes last, over the others.
    const order = [...Array(FACES).keys()].sort((a, b) => Number(a === chosen) - Number(b === chosen));
    for (const n of order) {
      const own = n === chosen;
      const [mean, deviation, z, slope] = [
        passed.mean,
        passed.deviation,
        passed.z,
        passed.inMean,
      ].map((all) => all.subarray(2 * n, 2 * n + 2));
      const [left, top] = field.pixels(mean);
      const tone = own ? palette.warm : palette.accent;
      context.globalAlpha = own ? 1 : 0.75;
      context.strokeStyle = context.fillStyle = tone;
      context.lineWidth = own ? 2 : 1.25;
      context.beginPath();
      context.ellipse(left, top, deviation[0] * field.unit, deviation[1] * field.unit, 0, 0, 2 * Math.PI);
      context.stroke();
      context.beginPath();
      context.arc(left, top, own ? 4 : 3, 0, 2 * Math.PI);
      context.fill();
      if (stage >= SAMPLE) {
        const [x, y] = field.pixels(z);
        context.fillStyle = palette.paper;
        context.lineWidth = 2;
        context.beginPath();
        context.moveTo(left, top);
        context.lineTo(x, y);
        context.stroke();
        context.beginPath();
        context.arc(x, y, own ? 6 : 4, 0, 2 * Math.PI);
        context.fill();
        context.stroke();
      }
      if (stage === GRADIENT) {
        context.strokeStyle = palette.ink;
        context.lineWidth = own ? 2.5 : 1.5;
        arrow(context, left, top, slope[0] * scale, -slope[1] * scale);
      }
      context.globalAlpha = 1;
    }
    const [left, top] = field.pixels(passed.mean.subarray(2 * chosen, 2 * chosen + 2));
    label(field, "μ", [left - 20, top + 18], palette.warm);
    if (stage >= SAMPLE) {
      const [x, y] = field.pixels(passed.z.subarray(2 * chosen, 2 * chosen + 2));
      label(field, "z", [x + 10, y - 8], palette.warm);
    }
  }
}

/** How long each pair of numbers is. @param {Float64Array} pairs */
const lengths = (pairs) =>
  Array.from({ length: pairs.length / 2 }, (_, n) => Math.hypot(pairs[2 * n], pairs[2 * n + 1]));

/**
 * Faces with their noise that the last model makes, where the data are: the same each time.
 *
 * @param {Recorded} recorded
 */
function made(recorded) {
  const last = recorded.count - 1;
  const points = recorded.points(last);
  const decoder = recorded.decoder(last);
  const random = seeded(23);
  const [height, width] = recorded.told.shape;
  const x = new Float64Array(FACES * height * width);
  for (let n = 0; n < FACES; n++) {
    const row = Math.floor(((n + 0.5) * points.length) / 2 / FACES);
    const { mean, deviation } = decoder.decode(points.slice(2 * row, 2 * row + 2), true);
    const noise = normals(height * width, random);
    for (let d = 0; d < mean.length; d++) {
      // As pixels are: none is darker than black.
      const pixel = Math.min(1, Math.max(0, mean[d] + deviation[d] * noise[d]));
      x[n * mean.length + d] = Math.fround(pixel);
    }
  }
  return x;
}
