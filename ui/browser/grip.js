/** A grip on the face: what was under the finger, where it has come to, and how z takes it along. */

/** @import { Model } from "./model.js" */
/** @import { Leaning } from "./nearest.js" */

import { crowdOf } from "./crowd.js";
import { Nearest } from "./nearest.js";

/** @typedef {{x: number, y: number}} Place  In pixels from the image's left and top edge. */

/** How far around the finger a grip reaches, in shares of the image's width. */
export const REACH = 0.2;

/** How far ahead of what it has hold of a step pulls, in shares of the width. */
const AHEAD = 0.05;

/** So near the finger, in shares of the width, it is under it. */
const UNDER = 0.008;

/** Steps that bring it no nearer than this share of the width. */
const STUCK = 0.002;

/** So many of them in a row, and the model can do no more. */
const PATIENCE = 6;

/** About how many pixels tell across a grip; more would take longer than a frame has. */
const ACROSS = 8;

/** How many pixels a face is wide of which each is heard with all its precision. */
const USUAL = 20;

/** A grip of less contrast than this, a standard deviation, pulls as hard; to a limit. */
const CONTRAST = 0.15;
const LOUDEST = 8;

/** What is found farther off must look the more alike, in correlation for a width. */
const SHY = 0.15;

/** The steps in which it is looked for, in shares of the width, and how many to each side. */
const SEARCH = /** @type {const} */ ([
  [0.025, 3],
  [0.0125, 1],
  [0.00625, 1],
]);

/** @param {number} value @param {number} most */
const within = (value, most) => Math.min(most, Math.max(0, value));

/** An image that has a value between its pixels too. */
class Picture {
  /**
   * @param {ArrayLike<number>} values
   * @param {number[]} shape
   */
  constructor(values, [height, width, channels = 1]) {
    this.values = Float32Array.from(values);
    this.height = height;
    this.width = width;
    this.channels = channels;
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  holds(x, y) {
    return x >= 0 && y >= 0 && x <= this.width && y <= this.height;
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} channel
   */
  at(x, y, channel) {
    const { values, width, height, channels } = this;
    const across = within(x - 0.5, width - 1);
    const down = within(y - 0.5, height - 1);
    const left = Math.min(Math.floor(across), width - 2);
    const top = Math.min(Math.floor(down), height - 2);
    const [right, below] = [across - left, down - top];
    const i = (top * width + left) * channels + channel;
    const j = i + width * channels;
    const upper = values[i] + right * (values[i + channels] - values[i]);
    return upper + below * (values[j] + right * (values[j + channels] - values[j]) - upper);
  }
}

export class Grip {
  /** How many steps in a row have brought it no nearer. */
  stuck = 0;

  /**
   * @param {Model} model
   * @param {Float32Array} z
   * @param {Place} place  What it takes hold of.
   * @param {(z: Float32Array) => Leaning} prior
   */
  constructor(model, z, place, prior = crowdOf(model)) {
    this.model = model;
    this.from = { ...place };
    /** Where it has come to. */
    this.at = { ...place };
    this.picture = new Picture(model.decoder.decode(z).mean, model.shape);
    this.nearest = new Nearest(model, z, prior);
    this.nearest.heedsLight = false;
    this.reach = REACH * this.picture.width;
    this.spacing = Math.max(1, Math.round((2 * this.reach) / ACROSS));
    this.template = this.held();
    const least = CONTRAST ** 2 / LOUDEST;
    this.loudness = CONTRAST ** 2 / Math.min(CONTRAST ** 2, Math.max(least, this.contrast()));
  }

  /**
   * What is held: how it looks at places around its middle, a value a channel.
   */
  held() {
    const { picture, from } = this;
    return this.around({ x: 0.5, y: 0.5 }).flatMap(({ x, y, firmness }) => {
      const source = { x: from.x + x, y: from.y + y };
      if (!picture.holds(source.x, source.y)) return [];
      const values = Array.from({ length: picture.channels }, (_, channel) =>
        picture.at(source.x, source.y, channel),
      );
      return { x, y, firmness, values };
    });
  }

  /** The variance of what is held, light alike in all of a channel apart. */
  contrast() {
    const { template, picture } = this;
    let [count, square] = [0, 0];
    for (let channel = 0; channel < picture.channels; channel++) {
      let [weight, sum] = [0, 0];
      for (const { firmness, values } of template) {
        weight += firmness;
        sum += firmness * values[channel];
        square += firmness * values[channel] ** 2;
      }
      count += weight;
      if (weight) square -= sum ** 2 / weight;
    }
    return count ? square / count : 0;
  }

  /**
   * The pixels within reach of a place, as far as they are looked at, and how firmly: softer
   * towards the rim.
   *
   * @param {Place} middle
   */
  around({ x, y }) {
    const { reach, spacing } = this;
    /** @type {{x: number, y: number, firmness: number}[]} */
    const places = [];
    const [left, top] = [x, y].map((first) => Math.ceil((first - 0.5 - reach) / spacing));
    for (let row = top * spacing; row < y + reach; row += spacing) {
      for (let column = left * spacing; column < x + reach; column += spacing) {
        const away = Math.hypot(column + 0.5 - x, row + 0.5 - y) / reach;
        const firmness = Math.min(1, 2 * (1 - away));
        if (firmness > 0.02) places.push({ x: column, y: row, firmness });
      }
    }
    return places;
  }

  /**
   * One step of z, by which what is held comes nearer to the finger.
   *
   * @param {Float32Array} z
   * @param {Place} finger
   * @returns {{z: Float32Array, arrived: boolean}}
   */
  step(z, finger) {
    const { width } = this.picture;
    const before = this.away(finger);
    if (before < UNDER * width) return { z, arrived: true };
    const share = Math.min(1, (AHEAD * width) / before);
    this.want({
      x: this.at.x + share * (finger.x - this.at.x),
      y: this.at.y + share * (finger.y - this.at.y),
    });
    const step = this.nearest.step(z);
    this.find(step.z);
    const nearer = before - this.away(finger) > STUCK * width;
    this.stuck = nearer ? 0 : this.stuck + 1;
    return { z: step.z, arrived: this.stuck > PATIENCE };
  }

  /** How far what is held is from the finger. @param {Place} finger */
  away({ x, y }) {
    return Math.hypot(x - this.at.x, y - this.at.y);
  }

  /**
   * Ask for what is held somewhere else.
   *
   * @param {Place} goal
   */
  want(goal) {
    const { picture, from, nearest, spacing } = this;
    const { width, height, channels } = picture;
    const [right, below] = [goal.x - from.x, goal.y - from.y];
    /** @type {number[]} */
    const values = [];
    /** @type {number[]} */
    const wanted = [];
    /** @type {number[]} */
    const precisions = [];
    // As if there were as many pixels on every face.
    const heard = (this.loudness * ((USUAL * spacing) / width) ** 2) / channels;
    for (const { x, y, firmness } of this.around(goal)) {
      const source = { x: x + 0.5 - right, y: y + 0.5 - below };
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      if (!picture.holds(source.x, source.y)) continue;
      for (let channel = 0; channel < channels; channel++) {
        const i = (y * width + x) * channels + channel;
        values.push(i);
        wanted.push(picture.at(source.x, source.y, channel));
        precisions.push(heard * firmness * nearest.precisionOf(i));
      }
    }
    nearest.ask(values, Float64Array.from(wanted), Float64Array.from(precisions));
  }

  /**
   * Look where what is held has come to: where the face correlates most with it.
   *
   * @param {Float32Array} z
   */
  find(z) {
    const face = new Picture(this.model.decoder.decode(z).mean, this.model.shape);
    const { width } = face;
    for (const [step, count] of SEARCH) {
      const middle = this.at;
      let best = -Infinity;
      for (let down = -count; down <= count; down++) {
        for (let across = -count; across <= count; across++) {
          const [x, y] = [middle.x + step * width * across, middle.y + step * width * down];
          const alike = this.alike(face, x, y) - SHY * step * Math.hypot(across, down);
          if (alike > best) [best, this.at] = [alike, { x, y }];
        }
      }
    }
  }

  /**
   * How much a face around a place is like what is held: their correlation, channels together.
   *
   * @param {Picture} face
   * @param {number} x
   * @param {number} y
   */
  alike(face, x, y) {
    let [together, own, other] = [0, 1e-9, 1e-9];
    for (let channel = 0; channel < face.channels; channel++) {
      let [weight, a, b, aa, bb, ab] = [0, 0, 0, 0, 0, 0];
      for (const one of this.template) {
        if (!face.holds(x + one.x, y + one.y)) continue;
        const { firmness } = one;
        const held = one.values[channel];
        const seen = face.at(x + one.x, y + one.y, channel);
        weight += firmness;
        a += firmness * held;
        b += firmness * seen;
        aa += firmness * held * held;
        bb += firmness * seen * seen;
        ab += firmness * held * seen;
      }
      if (!weight) continue;
      together += ab - (a * b) / weight;
      own += aa - (a * a) / weight;
      other += bb - (b * b) / weight;
    }
    return together / Math.sqrt(own * other);
  }
}
