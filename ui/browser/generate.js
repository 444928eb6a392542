/** Step 1, generate: darts thrown at the plane by the prior, and the faces that they become. */

/** @import { Spot } from "./field.js" */
/** @import { Subject } from "./subject.js" */

import { normals } from "./chance.js";
import { find } from "./dom.js";
import { COMPASS, Field, label, NEAR } from "./field.js";
import { bounded } from "./bound.js";
import { tuple } from "./words.js";

/** Faces of the newest darts that are shown, and darts that are kept. */
const MOST_FACES = 100;
const MOST_DARTS = 2000;

/** How much of the prior lies within 1, 2 and 3 deviations of two latents. */
const INSIDE = [1, 2, 3].map((sigmas) => 1 - Math.exp((-sigmas * sigmas) / 2));

export class Generate {
  /** @type {number[][]} */
  darts = [];

  z = [0, 0];

  /**
   * @param {HTMLElement} section
   * @param {Subject} subject
   * @param {Record<string, string>} palette
   */
  constructor(section, subject, palette) {
    this.subject = subject;
    this.section = section;
    this.palette = palette;
    this.field = new Field(find(section, ".field", HTMLCanvasElement), palette, subject.extent);
    this.mean = find(section, ".mean", HTMLCanvasElement);
    this.sample = find(section, ".sample", HTMLCanvasElement);
    this.tally = find(section, ".tally", HTMLElement);
    this.where = find(section, ".where", HTMLElement);
    this.sheet = find(section, ".crowd", HTMLCanvasElement);
    this.field.onDraw = () => this.draw();
    this.field.onPress = (at, z) => {
      const dart = this.dartAt(at);
      this.put(dart ?? z);
      return { move: (there) => this.put(there) };
    };
    this.field.onKey = ({ key, shiftKey }) => {
      const step = COMPASS[key];
      if (!step) return false;
      this.put(this.z.map((value, k) => value + step[k] * (shiftKey ? 0.5 : 0.05)));
      return true;
    };
    /** @type {Record<string, () => void>} */
    const actions = {
      one: () => this.throw(1),
      hundred: () => this.throw(100),
      clear: () => this.clear(),
      noise: () => this.show(true),
    };
    for (const [name, act] of Object.entries(actions)) {
      find(section, `[name=${name}]`, HTMLButtonElement).addEventListener("click", act);
    }
    this.noise = subject.model.noise.draw();
    this.sheet.addEventListener("pointerdown", (event) => this.pick(event));
  }

  enter() {
    if (!this.darts.length) this.throw(1);
  }

  leave() {}

  resize() {
    this.field.measure();
    this.drawSheet();
  }

  /** @param {number} count */
  throw(count) {
    const z = normals(2 * count);
    for (let i = 0; i < count; i++) this.darts.push([z[2 * i], z[2 * i + 1]]);
    this.darts = this.darts.slice(-MOST_DARTS);
    this.fresh = count;
    this.noise = this.subject.model.noise.draw();
    this.put(this.darts[this.darts.length - 1]);
    this.drawSheet();
    this.count();
    this.fall();
  }

  clear() {
    this.darts = [];
    this.drawSheet();
    this.count();
    this.field.refresh();
  }

  /** The newest darts come down on the plane. */
  fall() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.height = 0;
      this.field.refresh();
      return;
    }
    const start = performance.now();
    const step = () => {
      this.height = Math.max(0, 1 - (performance.now() - start) / 350);
      this.field.refresh();
      if (this.height > 0) requestAnimationFrame(step);
    };
    step();
  }

  /** @param {Spot} at @returns {number[] | undefined} */
  dartAt(at) {
    let nearest;
    let distance = NEAR / 2;
    for (const dart of this.darts) {
      const [left, top] = this.field.pixels(dart);
      const away = Math.hypot(left - at[0], top - at[1]);
      if (away < distance) [nearest, distance] = [dart, away];
    }
    return nearest;
  }

  /** @param {number[]} z */
  put(z) {
    const { extent } = this.subject;
    this.z = z.map((value) => bounded(value, -extent, extent));
    this.show();
    this.field.refresh();
  }

  show(fresh = false) {
    const { subject, z } = this;
    const { model } = subject;
    if (fresh) this.noise = model.noise.draw();
    const { mean, deviation } = model.decoder.decode(Float32Array.from(z), true);
    subject.paint(this.mean, mean);
    subject.paint(this.sample, model.noise.addTo(mean, deviation, this.noise));
    this.where.textContent = `z = ${tuple(Float32Array.from(z))}`;
  }

  count() {
    const { darts } = this;
    const rows = [1, 2, 3].map((sigmas, i) => {
      const inside = darts.filter((z) => Math.hypot(...z) <= sigmas).length;
      const share = darts.length ? `${Math.round((100 * inside) / darts.length)} %` : "–";
      return `<tr><th scope="row">${sigmas}σ</th><td>${inside}</td><td>${share}</td><td>${(100 * INSIDE[i]).toFixed(i === 2 ? 1 : 0)} %</td></tr>`;
    });
    this.tally.innerHTML = rows.join("");
    find(this.section, ".thrown", HTMLElement).textContent =
      darts.length === 1 ? "1 dart" : `${darts.length.toLocaleString("en")} darts`;
  }

  draw() {
    const { field, palette, darts, fresh = 0, height = 0 } = this;
    const { context } = field;
    const settled = darts.length - (height > 0 ? fresh : 0);
    context.fillStyle = palette.accent;
    darts.forEach((dart, i) => {
      const [left, top] = field.pixels(dart);
      const up = i < settled ? 0 : height;
      context.globalAlpha = i < darts.length - MOST_FACES ? 0.35 : 0.9 - 0.6 * up;
      context.beginPath();
      context.arc(left, top - 60 * up * up, 3 + 5 * up, 0, 2 * Math.PI);
      context.fill();
    });
    context.globalAlpha = 1;
    const [left, top] = field.pixels(this.z);
    context.strokeStyle = palette.warm;
    context.lineWidth = 2.5;
    context.beginPath();
    context.arc(left, top, 9, 0, 2 * Math.PI);
    context.stroke();
    label(field, "z", [left + 13, top + 4], palette.warm);
  }

  /** How the newest faces stand on their sheet. */
  layout() {
    const { sheet, darts, subject } = this;
    const count = Math.min(MOST_FACES, darts.length);
    const [height, width] = subject.model.shape;
    const room = { width: sheet.clientWidth, height: sheet.clientHeight };
    let columns = 1;
    // As large as all of them fit.
    while (Math.ceil(count / columns) * (room.width / columns) * (height / width) > room.height) columns++;
    columns = Math.max(columns, Math.min(count, 6));
    const wide = room.width / columns;
    return { count, columns, wide, tall: (wide * height) / width };
  }

  drawSheet() {
    const { sheet, darts, subject } = this;
    if (!sheet.clientWidth) return;
    const { count, columns, wide, tall } = this.layout();
    Object.assign(sheet, {
      width: Math.round(sheet.clientWidth * devicePixelRatio),
      height: Math.round(sheet.clientHeight * devicePixelRatio),
    });
    const context = sheet.getContext("2d");
    if (!context) return;
    context.scale(sheet.width / sheet.clientWidth, sheet.height / sheet.clientHeight);
    context.imageSmoothingQuality = "high";
    const face = document.createElement("canvas");
    for (let i = 0; i < count; i++) {
      subject.paint(face, subject.meanAt(darts[darts.length - 1 - i]));
      const [left, top] = [(i % columns) * wide, Math.floor(i / columns) * tall];
      context.drawImage(face, left + 0.5, top + 0.5, wide - 1, tall - 1);
    }
  }

  /** A face of the sheet leads to its dart. @param {PointerEvent} event */
  pick({ offsetX, offsetY }) {
    const { columns, wide, tall, count } = this.layout();
    const i = Math.floor(offsetY / tall) * columns + Math.floor(offsetX / wide);
    if (i < count) this.put(this.darts[this.darts.length - 1 - i]);
  }
}
