/** The sliders: one latent each. */

import { find } from "./dom.js";
import { named, written } from "./words.js";

/** Up to so many sliders have their name and value above them; more have them beside. */
export const ROOMY_SLIDERS = 4;

export class Sliders {
  /** @type {{input: HTMLInputElement, value: HTMLElement}[]} */
  rows = [];

  /** Whether every slider has to be drawn again: they go further, or less far, than before. */
  stale = true;

  /** @param {ParentNode} root */
  constructor(root) {
    this.list = find(root, ".sliders", HTMLElement);
  }

  /**
   * @param {number} latents
   * @param {number} extent
   */
  adopt(latents, extent) {
    if (this.rows.length !== latents) {
      this.list.replaceChildren();
      this.rows = Array.from({ length: latents }, (_, k) => this.add(k, latents));
    }
    for (const { input } of this.rows) {
      input.min = String(-extent);
      input.max = String(extent);
    }
    this.stale = true;
  }

  /**
   * @param {number} latent
   * @param {number} latents
   */
  add(latent, latents) {
    const name = named(latent);
    const input = document.createElement("input");
    Object.assign(input, { type: "range", step: "0.01", name });
    input.setAttribute("aria-label", name);
    input.dataset.latent = String(latent);
    const value = document.createElement("span");
    value.className = "value";
    const row = document.createElement("label");
    row.className = latents > ROOMY_SLIDERS ? "slider beside" : "slider";
    row.append(name, value, input);
    this.list.append(row);
    return { input, value };
  }

  /**
   * @param {Float32Array} z
   * @param {number} extent
   */
  point(z, extent) {
    this.rows.forEach(({ input, value }, k) => {
      const text = written(z[k]);
      const stays = value.textContent === text && Math.abs(Number(input.value) - z[k]) < 0.005;
      if (stays && !this.stale) return;
      input.value = String(z[k]);
      input.setAttribute("aria-valuetext", text);
      input.style.setProperty("--filled", `${50 * (1 + z[k] / extent)}%`);
      value.textContent = text;
    });
    this.stale = false;
  }
}

/**
 * The latent whose slider an event comes from, if it comes from one.
 *
 * @param {Event} event
 * @returns {{latent: number, value: number} | undefined}
 */
export function sliderOf({ target }) {
  if (!(target instanceof HTMLInputElement) || !target.dataset.latent) return undefined;
  return { latent: Number(target.dataset.latent), value: Number(target.value) };
}
