/** The door of a page that is sent: models to choose from, links, the sheet, what is known. */

/** @import { Model } from "./model.js" */
/** @import { NamedAxis } from "./named_axes.js" */
/** @import { Pad, State } from "./pad.js" */
/** @import { Wish } from "./page_link.js" */

import { find } from "./dom.js";
import { unpackEncoder } from "./encoder.js";
import { OwnFace } from "./own_face.js";
import { readHeader } from "./packed.js";
import { drawMean } from "./paint.js";
import { fitting, readLink, writtenLink } from "./page_link.js";
import { Sheet } from "./sheet.js";
import { ROOMY_SLIDERS } from "./sliders.js";
import { openPad } from "./standalone.js";
import { take } from "./take.js";
import { carried } from "./transport.js";

/** About the side of a saved face. */
const SAVED_PIXELS = 512;

/** How long a word about what has been done stays. */
const WORD_MS = 4000;

const THEME = "visage-page-theme";

class SharedPage {
  /** @type {Pad | undefined} */
  pad;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  forgetting;

  /** @param {Document} root */
  constructor(root) {
    this.root = root;
    this.held = [...root.querySelectorAll(".model")].map((element) => ({
      name: /** @type {HTMLElement} */ (element).dataset.name ?? "",
      element,
    }));
    this.picker = find(root, "[name=model]", HTMLSelectElement);
    this.status = find(root, ".row [role=status]", HTMLElement);
    this.box = find(root, ".visage", HTMLElement);
    this.own = new OwnFace(root);
    this.sheet = new Sheet(root, (z) => this.visit(z));
    this.chosen = 0;
    this.picker.replaceChildren(...this.held.map(({ name }, i) => new Option(name, String(i))));
    for (const one of root.querySelectorAll(".several")) {
      /** @type {HTMLElement} */ (one).hidden = this.held.length < 2;
    }
    this.listen();
  }

  listen() {
    this.picker.addEventListener("change", () => this.choose(Number(this.picker.value)));
    addEventListener("hashchange", () => this.follow(readLink(location.hash)));
    /** @type {Record<string, () => void>} */
    const actions = {
      link: () => this.copy(location.href, "The link is copied: it leads to this face."),
      save: () => this.save(),
      theme: () => this.turn(),
    };
    for (const [name, act] of Object.entries(actions)) {
      find(this.root, `[name=${name}]`, HTMLButtonElement).addEventListener("click", act);
    }
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.pad?.refresh());
  }

  /**
   * Open a model, where the address wants it.
   *
   * @param {Wish} wish
   */
  async open(wish) {
    const named = this.held.findIndex(({ name }) => name === wish.model);
    await this.choose(Math.max(0, named), wish);
    if (wish.model && named < 0) this.say(`This page holds no model named ${wish.model}.`);
  }

  /**
   * @param {number} place
   * @param {Wish} wish
   */
  async choose(place, wish = {}) {
    this.chosen = place;
    this.picker.value = String(place);
    const { name, element } = this.held[place];
    for (const card of this.root.querySelectorAll(".card")) {
      const { dataset } = /** @type {HTMLElement} */ (card);
      /** @type {HTMLElement} */ (card).hidden = dataset.name !== name;
    }
    // What is damaged is told by the pad.
    const buffer = await carried(element, "decoder").catch(() => new ArrayBuffer(0));
    // Another may have been chosen meanwhile.
    if (this.chosen !== place) return;
    this.furnish(buffer);
    if (this.pad) {
      this.pad.stop();
      take(this.pad, buffer);
    } else {
      this.pad = openPad(find(this.root, "#pad", HTMLElement), buffer, (state) =>
        this.settle(state),
      );
    }
    if (!this.pad.model) return;
    this.pad.nameAxes(axesOf(element, this.pad.model.latents));
    this.grant(wish, this.pad, this.pad.model);
    const encoder = await encoderOf(element);
    if (this.chosen === place) this.own.adopt(this.pad, encoder);
  }

  /**
   * Lay out the room for a model's sliders and face, as the app does before any script runs.
   *
   * @param {ArrayBuffer} buffer
   */
  furnish(buffer) {
    const { sizes, shape } = headerOf(buffer);
    const aspect = Math.min(Math.max(shape[1] / shape[0], 0.6), 1.25);
    const room = {
      "--latents": sizes[0],
      "--row": sizes[0] <= ROOMY_SLIDERS ? "42px" : "25px",
      "--aspect": aspect.toFixed(4),
    };
    for (const [name, value] of Object.entries(room)) {
      this.box.style.setProperty(name, String(value));
    }
  }

  /**
   * Put a pad where an address wants it, and say so where it can't be had.
   *
   * @param {Wish} wish
   * @param {Pad} pad
   * @param {Model} model
   */
  grant(wish, pad, model) {
    const { granted, whole } = fitting(wish, model.latents);
    const { z, pins, axes } = granted;
    if (pins) pad.keep(pins.map((pin) => Float32Array.from(pin)));
    if (axes) pad.instrument.plane.turn(axes);
    if (z) pad.z = Float32Array.from(z);
    pad.instrument.reach(pad.z);
    pad.refresh();
    pad.settle();
    if (!whole) this.say(`Not all of this link is of a model with ${model.latents} latents.`);
  }

  /**
   * Go where an address leads that was opened while the page was.
   *
   * @param {Wish} wish
   */
  follow(wish) {
    if (location.hash === this.written || !this.pad?.model) return;
    const place = this.held.findIndex(({ name }) => name === wish.model);
    if (place >= 0 && place !== this.chosen) this.choose(place, wish);
    else this.grant(wish, this.pad, this.pad.model);
  }

  /**
   * Keep in the address where the pad is, so that it can be sent.
   *
   * @param {State} state
   */
  settle({ z, pins, axes }) {
    if (!this.pad?.model) return;
    const model = this.held.length > 1 ? this.held[this.chosen].name : undefined;
    this.written = writtenLink({ model, z, pins, axes });
    try {
      history.replaceState(null, "", this.written);
    } catch {
      // A frame without an address of its own: the page works, only its links do not.
    }
    this.sheet.show(this.pad.model, axes, Float32Array.from(z));
  }

  /**
   * Show a face of the sheet in the pad.
   *
   * @param {Float32Array} z
   */
  visit(z) {
    this.pad?.glide(z);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.box.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  }

  /** Save the face as PNG, each pixel a crisp square. */
  save() {
    const { pad } = this;
    if (!pad?.model) return;
    const face = document.createElement("canvas");
    drawMean(face, pad.model, pad.z);
    const scale = Math.max(1, Math.round(SAVED_PIXELS / Math.max(face.width, face.height)));
    const large = document.createElement("canvas");
    Object.assign(large, { width: face.width * scale, height: face.height * scale });
    const context = large.getContext("2d");
    if (!context) return;
    context.imageSmoothingEnabled = false;
    context.drawImage(face, 0, 0, large.width, large.height);
    const link = document.createElement("a");
    const z = [...pad.z].map((latent) => latent.toFixed(2)).join(", ");
    Object.assign(link, { href: large.toDataURL("image/png"), download: `face z=(${z}).png` });
    link.click();
  }

  /**
   * @param {string} text
   * @param {string} done  What to say then.
   */
  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.say(done);
    } catch {
      this.say("This browser lets no page copy here: the link is in its address bar.");
    }
  }

  /** @param {string} sentence */
  say(sentence) {
    clearTimeout(this.forgetting);
    this.status.textContent = sentence;
    this.forgetting = setTimeout(() => (this.status.textContent = ""), WORD_MS);
  }

  /** Turn from light to dark, or back. */
  turn() {
    const { dataset } = this.root.documentElement;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    dataset.theme = (dataset.theme ?? (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(THEME, dataset.theme);
    } catch {
      // There is no storage here: it holds until the page is left.
    }
    this.pad?.refresh();
  }
}

/**
 * The directions with names that travelled with a model.
 *
 * @param {Element} element
 * @param {number} latents
 * @returns {NamedAxis[]}
 */
function axesOf(element, latents) {
  const text = element.querySelector("[data-part=axes]")?.textContent;
  try {
    /** @type {NamedAxis[]} */
    const axes = JSON.parse(text ?? "[]");
    return axes.filter(({ direction }) => direction.length === latents);
  } catch {
    return [];
  }
}

/**
 * A model's encoder, if it travelled and is whole.
 *
 * @param {Element} element
 */
async function encoderOf(element) {
  if (!element.querySelector("[data-part=encoder]")) return undefined;
  try {
    return unpackEncoder(await carried(element, "encoder"));
  } catch (error) {
    console.error(error);
    return undefined;
  }
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {{sizes: number[], shape: number[]}}
 */
function headerOf(buffer) {
  try {
    return readHeader(new Uint8Array(buffer)).header;
  } catch {
    // The pad says what is wrong.
    return { sizes: [2], shape: [28, 20] };
  }
}

function recallTheme() {
  try {
    const theme = localStorage.getItem(THEME);
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // As the system has it.
  }
}

/**
 * Bring a page to life.
 *
 * @param {Document} root
 */
export async function openPage(root) {
  recallTheme();
  if (!("DecompressionStream" in globalThis)) {
    find(root, ".visage", HTMLElement).dataset.state = "problem";
    find(root, ".notice", HTMLElement).textContent =
      "This browser is too old for this page: one of 2023 or later opens it.";
    return undefined;
  }
  const page = new SharedPage(root);
  await page.open(readLink(location.hash));
  return page;
}
