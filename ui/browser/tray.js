/** The tray: faces kept. */

/** @import { Model } from "./model.js" */

import { contextOf, find, icon } from "./dom.js";
import { drawMean } from "./paint.js";
import { tuple } from "./words.js";

/** Links keep as many. */
export const MOST_PINS = 6;

/** About the side of a downloaded face. */
const FILE_PIXELS = 512;

export class Tray {
  /** @type {Float32Array[]} */
  pins = [];

  /** @type {Model | undefined} */
  model;

  /**
   * @param {ParentNode} root
   * @param {object} told
   * @param {AbortSignal} told.signal
   * @param {(z: Float32Array) => void} told.onReturn  Somebody wants to go back to a face.
   * @param {(index: number) => void} told.onRemove
   */
  constructor(root, { onReturn, onRemove, signal }) {
    this.list = find(root, ".tray", HTMLElement);
    this.pinButton = find(root, "[name=pin]", HTMLButtonElement);
    const clicked = (/** @type {Event} */ { target }) => {
      const button = target instanceof Element && target.closest("button");
      if (!button) return;
      const i = this.indexOf(button);
      if (button.className === "return") onReturn(this.pins[i]);
      if (button.className === "remove") {
        onRemove(i);
        const left = /** @type {NodeListOf<HTMLElement>} */ (this.list.querySelectorAll(".return"));
        (left[Math.min(i, left.length - 1)] ?? this.pinButton).focus();
      }
      if (button.className === "download") this.download(i);
    };
    const dragged = (/** @type {DragEvent} */ { target, dataTransfer }) => {
      const i = target instanceof Element ? this.indexOf(target) : -1;
      if (i < 0 || !dataTransfer) return;
      dataTransfer.setData("DownloadURL", `image/png:${this.fileName(i)}:${this.png(i)}`);
      dataTransfer.effectAllowed = "copy";
    };
    this.list.addEventListener("click", clicked, { signal });
    this.list.addEventListener("dragstart", dragged, { signal });
  }

  /**
   * Which face an element belongs to.
   *
   * @param {Element} element
   */
  indexOf(element) {
    const item = element.closest("li");
    return [...this.list.children].findIndex((child) => child === item);
  }

  /**
   * @param {Model} model
   * @param {Float32Array[]} pins
   */
  draw(model, pins) {
    this.model = model;
    this.pins = pins;
    this.list.hidden = !pins.length;
    const items = pins.map((z, i) => {
      const item = document.createElement("li");
      item.className = "kept";
      const face = document.createElement("canvas");
      drawMean(face, model, z);
      const back = buttonOf("return", `Go back to pinned face ${i + 1}, z = ${tuple(z)}`, face);
      back.draggable = true;
      const cross = icon("M4.5 4.5l7 7M11.5 4.5l-7 7");
      const arrow = icon("M8 3v7M5 7.5l3 3 3-3M3.5 13h9");
      item.append(
        back,
        buttonOf("remove", `Remove pinned face ${i + 1}`, cross),
        buttonOf("download", `Download pinned face ${i + 1} as PNG`, arrow),
      );
      return item;
    });
    this.list.replaceChildren(...items);
    const full = pins.length >= MOST_PINS;
    this.pinButton.disabled = full;
    this.pinButton.title = full ? "The tray is full: remove a face first" : "Keep this face";
  }

  /** @param {number} i */
  fileName(i) {
    return `face z=(${[...this.pins[i]].map((latent) => latent.toFixed(2)).join(", ")}).png`;
  }

  /**
   * The face as a PNG of a useful size, each pixel a crisp square, in a data URL.
   *
   * @param {number} i
   */
  png(i) {
    const face = document.createElement("canvas");
    if (this.model) drawMean(face, this.model, this.pins[i]);
    const scale = Math.max(1, Math.round(FILE_PIXELS / Math.max(face.width, face.height)));
    const large = document.createElement("canvas");
    Object.assign(large, { width: face.width * scale, height: face.height * scale });
    const context = contextOf(large);
    context.imageSmoothingEnabled = false;
    context.drawImage(face, 0, 0, large.width, large.height);
    return large.toDataURL("image/png");
  }

  /** @param {number} i */
  download(i) {
    const link = document.createElement("a");
    Object.assign(link, { href: this.png(i), download: this.fileName(i) });
    link.click();
  }
}

/**
 * @param {string} name
 * @param {string} label
 * @param {Element} content
 */
function buttonOf(name, label, content) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className: name, title: label });
  made.setAttribute("aria-label", label);
  made.append(content);
  return made;
}
