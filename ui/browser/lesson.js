/** The lesson: its steps, one screen each, and the ways from one to the next. */

import { Beyond } from "./beyond.js";
import { find } from "./dom.js";
import { Excess } from "./excess.js";
import { Generate } from "./generate.js";
import { Infer } from "./infer.js";
import { Learning } from "./learning.js";
import { unpack } from "./model.js";
import { unpackEncoder } from "./encoder.js";
import { Reparametrise } from "./reparametrise.js";
import { Subject } from "./subject.js";

/**
 * @typedef {object} Step  One screen of the lesson.
 * @property {() => void} enter  It is shown.
 * @property {() => void} leave
 * @property {() => void} resize
 */

/** @typedef {new (section: HTMLElement, subject: Subject, palette: Record<string, string>) => Step} Kind */

/** By the names of their sections. @type {Record<string, Kind>} */
const STEPS = {
  generate: Generate,
  infer: Infer,
  reparametrise: Reparametrise,
  learn: Learning,
  excess: Excess,
  beyond: Beyond,
};

/** What is drawn on canvases is coloured by these. */
const COLOURS = ["accent", "warm", "amber", "ink", "paper", "quiet", "edge", "cloud", "surface"];

export class Lesson {
  /** @type {Record<string, string>} */
  palette = {};

  at = -1;

  ending = new AbortController();

  /**
   * @param {ParentNode} root  What holds the elements of `learn.html`.
   * @param {{decoder: ArrayBuffer, encoder?: ArrayBuffer, faces?: ArrayBuffer}} parts
   * @param {(step: number) => void} onStep  Another step is shown, counted from 1.
   */
  constructor(root, parts, onStep = () => {}) {
    this.onStep = onStep;
    this.box = find(root, ".lesson", HTMLElement);
    this.untouched = this.box.cloneNode(true);
    this.list = find(root, ".steps", HTMLElement);
    const encoder = parts.encoder && unpackEncoder(parts.encoder);
    const faces = parts.faces && new Uint8Array(parts.faces);
    this.subject = new Subject(unpack(parts.decoder), encoder, faces);
    this.colour();
    this.sections = [...this.box.querySelectorAll("section")];
    const [height, width] = this.subject.model.shape;
    this.box.style.setProperty("--aspect", String(width / height));
    this.steps = this.sections.map((section) => {
      const Kind = STEPS[section.dataset.step ?? ""];
      return new Kind(section, this.subject, this.palette);
    });
    this.tabs = this.sections.map((section, i) => this.tab(section, i));
    this.list.replaceChildren(...this.tabs);
    this.listen(root);
  }

  /**
   * @param {HTMLElement} section
   * @param {number} place
   */
  tab(section, place) {
    const button = document.createElement("button");
    button.type = "button";
    const number = document.createElement("b");
    number.textContent = String(place + 1);
    const name = document.createElement("span");
    name.textContent = section.dataset.name ?? "";
    button.append(number, name);
    button.addEventListener("click", () => this.show(place + 1));
    return button;
  }

  /** @param {ParentNode} root */
  listen(root) {
    const { signal } = this.ending;
    const actions = {
      back: () => this.show(this.at),
      next: () => this.show(this.at + 2),
      full: () => this.fill(),
    };
    for (const [name, act] of Object.entries(actions)) {
      find(root, `[name=${name}]`, HTMLButtonElement).addEventListener("click", act, { signal });
    }
    document.addEventListener("keydown", (event) => this.key(event), { signal });
    const size = new ResizeObserver(() => this.resize());
    size.observe(this.box);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.recolour(), { signal });
    // The app's own switch of theme says nothing, but it changes the colours that are in force.
    const theme = new MutationObserver(() => this.recolour());
    theme.observe(document.documentElement, { attributes: true });
    this.box.addEventListener("transitionend", ({ target, propertyName }) => {
      if (target === this.box && propertyName === "color") this.recolour();
    });
    signal.addEventListener("abort", () => {
      size.disconnect();
      theme.disconnect();
    });
  }

  /**
   * Arrow keys and those of a lecture's remote control go on and back, unless they are wanted by
   * what has the focus.
   *
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const [target] = event.composedPath();
    if (target instanceof HTMLElement && target.closest("input, select, textarea, [role=slider]")) {
      return;
    }
    if (!this.box.isConnected) return;
    const ways = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 };
    const way = /** @type {Record<string, number>} */ (ways)[event.key];
    if (way === undefined) {
      if (event.key === "f" && event.composedPath().includes(this.box)) this.fill();
      return;
    }
    const isPage = event.key.startsWith("Page");
    // PageDown is for scrolling where the lesson does not fill the screen.
    if (isPage && !this.isFull) return;
    event.preventDefault();
    this.show(this.at + 1 + way);
  }

  get isFull() {
    const root = this.box.getRootNode();
    return (root instanceof ShadowRoot ? root : document).fullscreenElement === this.box;
  }

  fill() {
    if (this.isFull) document.exitFullscreen();
    else this.box.requestFullscreen?.().catch(() => {});
  }

  /**
   * Show a step, counted from 1, if there is such a one.
   *
   * @param {number} step
   */
  show(step) {
    const place = step - 1;
    if (!(place in this.steps) || place === this.at) return;
    this.steps[this.at]?.leave();
    this.at = place;
    this.sections.forEach((section, i) => (section.hidden = i !== place));
    this.tabs.forEach((tab, i) => {
      if (i === place) tab.setAttribute("aria-current", "step");
      else tab.removeAttribute("aria-current");
    });
    const [back, next] = ["back", "next"].map((name) =>
      find(this.box, `[name=${name}]`, HTMLButtonElement),
    );
    back.disabled = place === 0;
    next.disabled = place === this.steps.length - 1;
    this.tabs[place].scrollIntoView({ block: "nearest", inline: "nearest" });
    this.steps[place].enter();
    this.steps[place].resize();
    this.onStep(step);
  }

  resize() {
    this.steps[this.at]?.resize();
  }

  /** Read the colours of the theme, as a canvas takes them. */
  colour() {
    const probe = document.createElement("span");
    this.box.append(probe);
    for (const name of COLOURS) {
      probe.style.color = `var(--${name})`;
      this.palette[name] = getComputedStyle(probe).color;
    }
    this.palette.font = getComputedStyle(this.box).fontFamily;
    probe.remove();
  }

  recolour() {
    this.colour();
    this.resize();
  }

  /** Leave the place as it was found: what listens to this lesson's elements goes with them. */
  destroy() {
    this.ending.abort();
    this.steps[this.at]?.leave();
    this.subject.isOver = true;
    this.box.replaceWith(this.untouched);
  }
}
