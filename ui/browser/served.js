/**
 * A decoder that runs on the server: one question is under way at a time, and the next is where z
 * is by then. What z passed in the meantime nobody asks for.
 */

/** @typedef {{serial: number, points: number[][]}} Question  Latent points, the face's first. */
/** @typedef {{serial: number, frames: Uint8Array[], problem: string}} Answer  A picture of each. */

/** How many kept faces are asked for beside the one under the pointer. */
const MOST_BESIDE = 8;

/** How many faces are remembered: those that are pinned, above all. */
const MOST_HELD = 64;

/** When an answer that has not come is asked for again. */
const LOST_MS = 8_000;

export class ServedDecoder {
  /** @type {(question: Question) => boolean}  Brings it to the server, if there is a way yet. */
  ask = () => false;

  /** @type {(problem: string) => void}  An answer has come: with a sentence if it is none. */
  onAnswer = () => {};

  // Not what another pad has asked by.
  serial = Math.floor(Math.random() * 1e9);

  /** @type {number[][] | undefined}  What is under way. */
  asked;

  /** @type {Float32Array | undefined}  Where z is, if its face is not here. */
  wanted;

  /** @type {Map<string, Float32Array>} */
  held = new Map();

  /** @type {Map<string, {z: Float32Array, draw: ((pixels: Float32Array) => void)[]}>} */
  beside = new Map();

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  patience;

  /** @param {number} values  Of an image. */
  constructor(values) {
    this.mean = new Float32Array(values);
    // Nobody sees it: of these models the mean alone is shown.
    this.deviation = new Float32Array(values);
  }

  /**
   * The mean at z if it is here; otherwise the one before, until the server has answered.
   *
   * @param {Float32Array} z
   */
  decode(z) {
    const face = this.held.get(z.join());
    if (face) {
      this.mean.set(face);
      this.wanted = undefined;
    } else {
      this.wanted = Float32Array.from(z);
      this.next();
    }
    return this;
  }

  /**
   * Have a face drawn once it is here: one that is not under the pointer.
   *
   * @param {Float32Array} z
   * @param {(pixels: Float32Array) => void} draw
   */
  later(z, draw) {
    const key = z.join();
    const face = this.held.get(key);
    if (face) {
      draw(face);
      return;
    }
    const waiting = this.beside.get(key) ?? { z: Float32Array.from(z), draw: [] };
    waiting.draw.push(draw);
    this.beside.set(key, waiting);
    this.next();
  }

  /** Ask for what is wanted by now, unless an answer is under way. */
  next() {
    if (this.asked) return;
    const others = [...this.beside.values()].slice(0, MOST_BESIDE).map(({ z }) => [...z]);
    const points = this.wanted ? [[...this.wanted], ...others] : others;
    if (!points.length) return;
    this.serial++;
    if (!this.ask({ serial: this.serial, points })) return;
    this.asked = points;
    this.patience = setTimeout(() => this.forget(), LOST_MS);
  }

  /** What was asked is lost: ask for what is wanted now. */
  forget() {
    clearTimeout(this.patience);
    this.asked = undefined;
    this.next();
  }

  /** @param {Answer} answer */
  take({ serial, frames, problem }) {
    const { asked } = this;
    if (!asked || serial !== this.serial) {
      this.next();
      return;
    }
    clearTimeout(this.patience);
    this.asked = undefined;
    if (problem || frames.length !== asked.length) {
      // It would fail again: z has to move first.
      this.wanted = undefined;
      this.beside.clear();
      this.onAnswer(problem);
      return;
    }
    asked.forEach((z, place) => {
      const key = Float32Array.from(z).join();
      const pixels = Float32Array.from(frames[place], (byte) => byte / 255);
      this.held.set(key, pixels);
      this.beside.get(key)?.draw.forEach((draw) => draw(pixels));
      this.beside.delete(key);
      if (this.wanted && place === 0) this.mean.set(pixels);
      if (this.wanted?.join() === key) this.wanted = undefined;
    });
    for (const key of this.held.keys()) {
      if (this.held.size <= MOST_HELD) break;
      this.held.delete(key);
    }
    this.onAnswer("");
    this.next();
  }

  /** Nobody looks any more. */
  end() {
    clearTimeout(this.patience);
    this.onAnswer = () => {};
    this.ask = () => false;
  }
}
