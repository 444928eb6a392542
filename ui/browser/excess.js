/** Step 5, too well: a run that learns its faces by heart, and what β does. */

/** @import { Subject } from "./subject.js" */

import { nats } from "./balance.js";
import { bounded } from "./bound.js";
import { normals, seeded } from "./chance.js";
import { find } from "./dom.js";
import { Recital } from "./recital.js";
import { Recorded } from "./recorded.js";
import { paintFace, paintSpread } from "./reel.js";
import { theShelf } from "./shelf.js";

/** Faces of a row. */
const SHOWN = 6;

const SETS = /** @type {const} */ (["training", "heldout"]);
const TERMS = /** @type {const} */ (["logLikelihood", "kl"]);

export class Excess extends Recital {
  view = "overfit";

  /** @type {Record<string, Recorded>}  By the view that is of them. */
  recorded = {};

  /** Where each view was left. @type {Record<string, number>} */
  places = { overfit: 0, beta: 2 };

  /**
   * @param {HTMLElement} section
   * @param {Subject} _subject  The recordings have models of their own.
   * @param {Record<string, string>} palette
   */
  constructor(section, _subject, palette) {
    super(section, palette, "excess");
    this.rows = SETS.map((_, row) => {
      const canvases = Array.from({ length: SHOWN }, () => {
        const canvas = document.createElement("canvas");
        canvas.className = "face";
        return canvas;
      });
      section.querySelectorAll(".six")[row].replaceChildren(...canvases);
      return canvases;
    });
  }

  take() {
    const { recordings } = theShelf();
    if (!recordings || this.reel.recorded) return;
    for (const name of Object.keys(this.places)) {
      this.recorded[name] = new Recorded(recordings[name]);
    }
    this.section.dataset.state = "known";
    this.turn(this.view);
  }

  /** @param {string} view  `overfit` or `beta`. */
  turn(view) {
    super.turn(view);
    const recorded = this.recorded[view];
    if (!recorded) return;
    const { told } = recorded;
    const stops = told.frames.map(({ at }) => at);
    this.curve.show({
      lines: SETS.map((set, i) => ({
        name: set === "training" ? "training" : "validation",
        colour: set === "training" ? "accent" : "warm",
        points:
          told.curve?.map((point) => [point[0], point[1 + i]]) ??
          told.frames.map((frame) => [frame.at, frame[set].elbo]),
      })),
      stops,
      written: (at) => at.toLocaleString("en"),
    });
    this.reel.load(recorded, this.places[view]);
    this.resize();
  }

  tell() {
    const { reel, section, view } = this;
    const { recorded, place } = reel;
    if (!recorded) return;
    this.places[view] = place;
    this.curve.point(place);
    const { frames } = recorded.told;
    const moment = frames[place];
    for (const set of SETS) {
      find(section, `[data-figure=elbo-${set}]`, HTMLElement).textContent = nats(moment[set].elbo);
      for (const term of TERMS) {
        const all = frames.flatMap((frame) => SETS.map((each) => frame[each][term]));
        const high = Math.max(...all);
        const low = bounded(Math.min(...all), -high, 0);
        this.bar(`${set}-${term}`, moment[set][term], low, high);
      }
    }
    const latents = find(section, ".latents", HTMLElement);
    const most = Math.max(...frames.flatMap(({ kl }) => kl));
    latents.replaceChildren(
      ...moment.kl.map((value, k) => {
        const latent = document.createElement("span");
        latent.style.setProperty("--share", String(value / most));
        latent.title = `latent ${k + 1}: ${nats(value, 2)} nats`;
        latent.classList.toggle("dead", k >= moment.active);
        return latent;
      }),
    );
    find(section, ".in-use", HTMLElement).textContent =
      `${moment.active} of ${moment.kl.length} latents in use`;
    this.paintRows();
  }

  /**
   * @param {string} name
   * @param {number} value
   * @param {number} low
   * @param {number} high
   */
  bar(name, value, low, high) {
    const bar = find(this.section, `[data-bar=${name}]`, HTMLElement);
    /** @param {number} x */
    const share = (x) => (bounded(x, low, high) - low) / (high - low);
    const [from, to] = [Math.min(0, value), Math.max(0, value)].map(share);
    bar.style.setProperty("--from", String(from));
    bar.style.setProperty("--to", String(to));
    find(this.section, `[data-figure=${name}]`, HTMLElement).textContent = nats(value);
  }

  /** Six faces of the training set and six others, as this model draws them. */
  paintRows() {
    const { recorded, place } = this.reel;
    if (!recorded) return;
    const { latents } = recorded;
    const darts = normals(SHOWN * latents, seeded(3));
    // Of a run the validation set; of β what darts make of it.
    const others =
      this.view === "overfit"
        ? recorded.shown(place, "heldout")
        : Array.from({ length: SHOWN }, (_, n) =>
            Float32Array.from(darts.subarray(n * latents, (n + 1) * latents)),
          );
    [recorded.shown(place, "training"), others].forEach((row, which) =>
      row.forEach((z, n) =>
        paintFace(this.rows[which][n], recorded, recorded.decoder(place).decode(z).mean),
      ),
    );
  }

  paint() {
    const { reel, section } = this;
    const { recorded } = reel;
    if (!recorded) return;
    const { mean, deviation } = recorded.decoder(reel.place).decode(reel.whole(), true);
    paintFace(find(section, ".now", HTMLCanvasElement), recorded, mean);
    paintSpread(find(section, ".spread", HTMLCanvasElement), recorded, deviation);
    const average = deviation.reduce((sum, sigma) => sum + sigma, 0) / deviation.length;
    find(section, "[data-figure=spread]", HTMLElement).textContent = average.toFixed(3);
  }
}
