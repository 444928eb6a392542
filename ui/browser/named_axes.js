/** Named axes: directions that somebody has named by examples, a slider each. */

import { find } from "./dom.js";
import { written } from "./words.js";

/**
 * @typedef {object} NamedAxis
 * @property {string} name  What there is more of at its end.
 * @property {number[]} middle  The latent point at which a slider is in its middle.
 * @property {number[]} direction  From those without to those with it.
 */

/** How far a slider goes to either side: ±0.5 are the means of the examples. */
const FARTHEST_AMOUNT = 1.5;

/**
 * How far along an axis a point is.
 *
 * @param {Float32Array} z
 * @param {NamedAxis} axis
 */
export function amountOf(z, { middle, direction }) {
  let way = 0;
  let square = 0;
  direction.forEach((step, k) => {
    way += (z[k] - middle[k]) * step;
    square += step * step;
  });
  return way / (square || 1);
}

/**
 * The point that is so far along an axis, and where z is across it.
 *
 * @param {Float32Array} z
 * @param {NamedAxis} axis
 * @param {number} amount
 */
export function along(z, axis, amount) {
  const way = amount - amountOf(z, axis);
  return z.map((latent, k) => latent + way * axis.direction[k]);
}

export class NamedAxes {
  /** @type {{axis: NamedAxis, input: HTMLInputElement, value: HTMLElement}[]} */
  rows = [];

  /** @param {ParentNode} root */
  constructor(root) {
    this.list = find(root, ".named", HTMLElement);
  }

  /** @param {NamedAxis[]} axes */
  show(axes) {
    this.list.hidden = !axes.length;
    const rows = axes.map((axis) => {
      const input = document.createElement("input");
      const far = String(FARTHEST_AMOUNT);
      Object.assign(input, { type: "range", min: `-${far}`, max: far, step: "0.01" });
      input.setAttribute("aria-label", axis.name);
      const name = document.createElement("b");
      name.textContent = name.title = axis.name;
      const value = document.createElement("span");
      value.className = "value";
      const row = document.createElement("label");
      row.className = "slider";
      row.append(name, value, input);
      return { axis, input, value, row };
    });
    this.list.replaceChildren(...rows.map(({ row }) => row));
    this.rows = rows;
  }

  /** @param {Float32Array} z */
  point(z) {
    for (const { axis, input, value } of this.rows) {
      const amount = amountOf(z, axis);
      const text = written(amount);
      if (value.textContent === text) continue;
      value.textContent = text;
      // Under the finger it is where the finger is.
      input.value = String(amount);
      input.setAttribute("aria-valuetext", text);
      const share = Math.min(1, Math.max(-1, amount / FARTHEST_AMOUNT));
      input.style.setProperty("--filled", `${50 * (1 + share)}%`);
    }
  }

  /**
   * Where a slider that was moved wants z.
   *
   * @param {Event} event
   * @param {Float32Array} z
   */
  moved({ target }, z) {
    const row = this.rows.find(({ input }) => input === target);
    return row && along(z, row.axis, Number(row.input.value));
  }
}
