/** q in one's hands: an ellipse on the field whose mean one drags and whose deviations one stretches. */

/** @import { Field, Spot, Touch } from "./field.js" */
/** @import { Posterior } from "./bound.js" */

import { bounded, FARTHEST, LEAST_DEVIATION, MOST_DEVIATION } from "./bound.js";
import { NEAR } from "./field.js";

/** However narrow q is, its handles lie so far from its mean, in CSS pixels. */
const REACH = 26;

export class Holding {
  /** @type {Posterior} */
  q = { mean: [0, 0], deviation: [1, 1] };

  /** @type {() => void}  q is another. */
  onChange = () => {};

  /** @type {() => void}  A hand takes hold of q. */
  onTake = () => {};

  /** @param {Field} field */
  constructor(field) {
    this.field = field;
  }

  /** @param {Posterior} q */
  set(q) {
    this.q = q;
    this.onChange();
    this.field.refresh();
  }

  /** Where the handles are: of the first deviation, and of the second. @returns {Spot[]} */
  handles() {
    const { mean, deviation } = this.q;
    const [left, top] = this.field.pixels(mean);
    const [across, up] = deviation.map((sigma) => Math.max(REACH, sigma * this.field.unit));
    return [
      [left + across, top],
      [left, top - up],
    ];
  }

  /**
   * @param {Spot} at
   * @param {Spot} z
   * @returns {Touch}
   */
  press(at, z) {
    this.onTake();
    const { mean, deviation } = this.q;
    const middle = this.field.pixels(mean);
    /** @param {Spot} spot */
    const away = (spot) => Math.hypot(spot[0] - at[0], spot[1] - at[1]);
    const distances = this.handles().map(away);
    const axis = distances[0] <= distances[1] ? 0 : 1;
    if (distances[axis] < NEAR && distances[axis] < away(middle)) {
      const from = Math.abs(at[axis] - middle[axis]);
      return {
        move: (_, there) => {
          const factor = Math.max(1e-3, Math.abs(there[axis] - middle[axis]) / from);
          const wider = [...deviation];
          wider[axis] = bounded(deviation[axis] * factor, LEAST_DEVIATION, MOST_DEVIATION);
          this.set({ mean, deviation: wider });
        },
      };
    }
    // Elsewhere the mean comes to the pointer; near it, it keeps its distance.
    const offset = away(middle) < NEAR ? [mean[0] - z[0], mean[1] - z[1]] : [0, 0];
    /** @param {Spot} there */
    const move = (there) =>
      this.set({
        mean: there.map((value, k) => bounded(value + offset[k], -FARTHEST, FARTHEST)),
        deviation: this.q.deviation,
      });
    if (offset[0] === 0 && offset[1] === 0) move(z);
    return { move };
  }

  /**
   * Arrow keys move the mean by a quarter of a deviation, with Shift they stretch.
   *
   * @param {KeyboardEvent} event
   */
  key({ key, shiftKey }) {
    const axis = key === "ArrowLeft" || key === "ArrowRight" ? 0 : 1;
    const way = key === "ArrowRight" || key === "ArrowUp" ? 1 : -1;
    if (!key.startsWith("Arrow")) return false;
    this.onTake();
    const mean = [...this.q.mean];
    const deviation = [...this.q.deviation];
    if (shiftKey) {
      deviation[axis] = bounded(deviation[axis] * 1.1 ** way, LEAST_DEVIATION, MOST_DEVIATION);
    } else {
      mean[axis] = bounded(mean[axis] + (way * deviation[axis]) / 4, -FARTHEST, FARTHEST);
    }
    this.set({ mean, deviation });
    return true;
  }

  draw(handles = true) {
    const { field, q } = this;
    const { context, palette, unit } = field;
    const [left, top] = field.pixels(q.mean);
    context.strokeStyle = context.fillStyle = palette.accent;
    for (const sigmas of [1, 2]) {
      context.globalAlpha = sigmas === 1 ? 0.14 : 0.07;
      context.beginPath();
      const [a, b] = q.deviation.map((sigma) => sigmas * sigma * unit);
      context.ellipse(left, top, a, b, 0, 0, 2 * Math.PI);
      context.fill();
      context.globalAlpha = sigmas === 1 ? 1 : 0.55;
      context.lineWidth = sigmas === 1 ? 2 : 1.25;
      context.stroke();
    }
    context.globalAlpha = 1;
    if (!handles) return;
    context.lineWidth = 2;
    for (const [x, y] of this.handles()) {
      context.globalAlpha = 0.6;
      context.beginPath();
      context.moveTo(left, top);
      context.lineTo(x, y);
      context.stroke();
      context.globalAlpha = 1;
      context.fillStyle = palette.paper;
      context.beginPath();
      context.rect(x - 5, y - 5, 10, 10);
      context.fill();
      context.stroke();
    }
    context.fillStyle = palette.accent;
    context.beginPath();
    context.arc(left, top, 6, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = palette.paper;
    context.stroke();
  }
}

/**
 * Between two posteriors: means in a straight line, deviations by equal factors.
 *
 * @param {Posterior} from
 * @param {Posterior} to
 * @param {number} t
 * @returns {Posterior}
 */
export const between = (from, to, t) => ({
  mean: from.mean.map((mean, k) => mean + (to.mean[k] - mean) * t),
  deviation: from.deviation.map((sigma, k) => sigma * (to.deviation[k] / sigma) ** t),
});
