/** Step 3, reparametrise: sixteen ε that stay while their z move along, and two ways to a slope. */

/** @import { Subject } from "./subject.js" */

import { nats } from "./balance.js";
import { estimates, reparametrised, slopesOfElbo } from "./bound.js";
import { normals, seeded } from "./chance.js";
import { contextOf, find } from "./dom.js";
import { Field, label } from "./field.js";
import { Holding } from "./holding.js";

/** How many ε there are, and estimates a cloud. */
const COUNT = 16;
const DRAWS = 50;

/** Half the side of the plane of ε, in its own units. */
const REACH_OF_NOISE = 3;

/** The deviations of q at first, at least, and the half-width of what is seen of the plane. */
const WIDE = 0.06;
const VIEW = 0.3;

/** A cloud that can be so many times enlarged is shown under a lens. */
const TINY = 3;

/** How long a cloud grows, in milliseconds. */
const GROWING_MS = 900;

export class Reparametrise {
  draws = 0;
  asked = 0;

  /** @type {import("./subject.js").Given | undefined}  The face that q was last put to. */
  given;

  /** @type {{pathwise: Float64Array, score: Float64Array} | undefined} */
  found;

  /**
   * @param {HTMLElement} section
   * @param {Subject} subject
   * @param {Record<string, string>} palette
   */
  constructor(section, subject, palette) {
    this.section = section;
    this.subject = subject;
    this.palette = palette;
    this.field = new Field(find(section, ".field", HTMLCanvasElement), palette, subject.extent);
    this.hand = new Holding(this.field);
    this.still = find(section, ".noise", HTMLCanvasElement);
    this.clouds = ["pathwise", "scoring"].map((name) =>
      find(section, `.${name}`, HTMLCanvasElement),
    );
    this.noise = normals(2 * COUNT, seeded(5));
    this.faces = Array.from({ length: COUNT }, () => {
      const canvas = document.createElement("canvas");
      canvas.className = "face";
      return canvas;
    });
    find(section, ".sixteen", HTMLElement).replaceChildren(...this.faces);
    this.field.onDraw = () => this.draw();
    this.field.onPress = (at, z) => {
      const touch = this.hand.press(at, z);
      return { move: touch.move, end: () => this.estimate() };
    };
    this.field.onKey = (event) => {
      const known = this.hand.key(event);
      if (known) this.estimate();
      return known;
    };
    this.hand.onChange = () => this.ask();
    /** @type {Record<string, () => void>} */
    const actions = {
      others: () => this.drawNoise(),
      fifty: () => this.estimate(),
      encoder: () => this.atEncoder(),
      wide: () => this.wide(),
    };
    for (const [name, act] of Object.entries(actions)) {
      find(section, `[name=${name}]`, HTMLButtonElement).addEventListener("click", act);
    }
    find(section, "[name=encoder]", HTMLButtonElement).hidden = !subject.encoder;
  }

  enter() {
    const { subject } = this;
    subject.paint(find(this.section, ".given", HTMLCanvasElement), subject.given.x);
    if (this.given !== subject.given) this.begin();
    this.given = subject.given;
    this.estimate();
  }

  /** Where q explains the face, but wide enough that its faces differ. */
  begin() {
    const { mean, deviation } = this.subject.encoded(this.subject.given) ?? {
      mean: this.subject.given.z ?? [0, 0],
      deviation: [0, 0],
    };
    this.hand.set({ mean, deviation: deviation.map((sigma) => Math.max(WIDE, 2 * sigma)) });
    this.field.look({ x: mean[0], y: mean[1], half: VIEW });
  }

  leave() {
    cancelAnimationFrame(this.growing ?? 0);
  }

  resize() {
    this.field.measure();
    this.drawStill();
    this.drawClouds();
    this.ask();
  }

  /** Take sixteen other ε. */
  drawNoise() {
    this.noise = normals(2 * COUNT);
    this.drawStill();
    this.hand.set(this.hand.q);
  }

  /** To the encoder's q of the face, from near by. */
  atEncoder() {
    const q = this.subject.encoded(this.subject.given);
    if (!q) return;
    this.hand.set(q);
    this.field.glide({ x: q.mean[0], y: q.mean[1], half: 4.5 * Math.max(...q.deviation) });
    this.estimate();
  }

  wide() {
    this.hand.set({ mean: [0, 0], deviation: [0.5, 0.5] });
    this.field.whole();
    this.estimate();
  }

  ask() {
    this.asked ||= requestAnimationFrame(() => {
      this.asked = 0;
      const { subject, hand, noise, faces } = this;
      const { joint } = subject;
      const { mean } = joint.decode(reparametrised(hand.q, noise));
      faces.forEach((canvas, i) =>
        subject.paint(canvas, mean.subarray(i * joint.values, (i + 1) * joint.values)),
      );
    });
  }

  /** Draw fifty times, one ε each, and estimate the slope in both ways. */
  estimate() {
    const { joint, given, nodes } = this.subject;
    const { q } = this.hand;
    this.found = estimates(joint, given.x, q, normals(2 * DRAWS));
    this.slope = slopesOfElbo(joint, given.x, q, nodes).inMean;
    this.tell();
    cancelAnimationFrame(this.growing ?? 0);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const start = performance.now();
    const step = () => {
      const t = still ? 1 : Math.min(1, (performance.now() - start) / GROWING_MS);
      this.draws = Math.ceil(t * DRAWS);
      this.drawClouds();
      if (t < 1) this.growing = requestAnimationFrame(step);
    };
    step();
  }

  tell() {
    if (!this.found) return;
    const [narrow, wide] = [spread(this.found.pathwise), spread(this.found.score)];
    const texts = {
      ".pathwise-spread": `scatter ± ${rounded(narrow)}`,
      ".score-spread": `scatter ± ${rounded(wide)}`,
    };
    for (const [selector, text] of Object.entries(texts)) {
      find(this.section, selector, HTMLElement).textContent = text;
    }
    const ratio = wide / narrow;
    find(this.section, ".verdict", HTMLElement).textContent =
      ratio > 1
        ? `Here the score function scatters ${rounded(ratio)} times as widely: it would need ${rounded(ratio ** 2)} samples where this one needs 1.`
        : `So far from the face the slope itself is wild, and neither estimate is worth much: go where q explains the face.`;
  }

  draw() {
    const { field, hand, palette, noise } = this;
    const { context } = field;
    hand.draw();
    const z = reparametrised(hand.q, noise);
    context.lineWidth = 1.5;
    for (let i = 0; i < COUNT; i++) {
      const [left, top] = field.pixels([z[2 * i], z[2 * i + 1]]);
      context.fillStyle = hue(i);
      context.strokeStyle = palette.paper;
      context.beginPath();
      context.arc(left, top, 5.5, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
    const [left, top] = field.pixels(hand.q.mean);
    label(field, "μ", [left - 20, top + 18], palette.accent);
  }

  /** The plane of ε, where nothing ever moves. */
  drawStill() {
    const { still, palette, noise } = this;
    const { context, side } = prepared(still);
    const unit = side / (2 * REACH_OF_NOISE);
    context.strokeStyle = palette.ink;
    context.globalAlpha = 0.3;
    for (const radius of [1, 2]) {
      context.beginPath();
      context.arc(side / 2, side / 2, radius * unit, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 1;
    for (let i = 0; i < COUNT; i++) {
      context.fillStyle = hue(i);
      context.beginPath();
      const [x, y] = [noise[2 * i] * unit, noise[2 * i + 1] * unit];
      context.arc(side / 2 + x, side / 2 - y, 4, 0, 2 * Math.PI);
      context.fill();
    }
    context.strokeStyle = palette.edge;
    context.strokeRect(0.5, 0.5, side - 1, side - 1);
    this.faces.forEach((canvas, i) => canvas.style.setProperty("border-color", hue(i)));
  }

  /** Both clouds of arrows, on one scale. */
  drawClouds() {
    const { found, slope, palette, draws } = this;
    if (!found || !slope) return;
    const sizes = [...found.score, ...found.pathwise].map(Math.abs).sort((a, b) => a - b);
    // An arrow beyond what nearly all stay within is cut by the edge.
    const reach = sizes[Math.floor(0.985 * (sizes.length - 1))];
    [found.pathwise, found.score].forEach((cloud, which) => {
      const { context, side } = prepared(this.clouds[which]);
      const unit = (0.46 * side) / reach;
      const middle = side / 2;
      context.strokeStyle = palette.ink;
      context.globalAlpha = 0.15;
      context.beginPath();
      context.moveTo(0, middle);
      context.lineTo(side, middle);
      context.moveTo(middle, 0);
      context.lineTo(middle, side);
      context.stroke();
      context.strokeStyle = which ? palette.warm : palette.accent;
      context.globalAlpha = 0.6;
      context.lineWidth = 1.25;
      for (let i = 0; i < draws; i++) {
        arrow(context, middle, middle, cloud[2 * i] * unit, -cloud[2 * i + 1] * unit);
      }
      context.globalAlpha = 1;
      context.strokeStyle = palette.ink;
      context.lineWidth = 2;
      arrow(context, middle, middle, slope[0] * unit, -slope[1] * unit);
      if (which === 0) this.drawLens(context, side, unit);
      context.strokeStyle = palette.edge;
      context.lineWidth = 1;
      context.strokeRect(0.5, 0.5, side - 1, side - 1);
    });
    find(this.section, ".reach", HTMLElement).textContent =
      `Both on one scale: from the middle to the edge ${rounded(reach / 0.92)} nats a unit of μ.`;
  }

  /**
   * A cloud too narrow to be seen, under a lens.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {number} side
   * @param {number} unit  Pixels a unit of the slope.
   */
  drawLens(context, side, unit) {
    const { found, slope, palette, draws } = this;
    if (!found || !slope) return;
    const radius = 0.24 * side;
    const longest = Math.max(...[...found.pathwise].map(Math.abs)) * unit;
    const wanted = (0.85 * radius) / longest;
    if (wanted < TINY) return;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const times = Math.floor(wanted / power) * power;
    const [x, y] = [side - radius - 8, side - radius - 8];
    context.save();
    context.strokeStyle = palette.ink;
    context.lineWidth = 1;
    context.globalAlpha = 0.5;
    context.beginPath();
    context.moveTo(side / 2 + 2, side / 2 + 2);
    context.lineTo(x - radius * Math.SQRT1_2, y - radius * Math.SQRT1_2);
    context.stroke();
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.globalAlpha = 1;
    context.fillStyle = palette.paper;
    context.fill();
    context.stroke();
    context.clip();
    context.strokeStyle = palette.accent;
    context.lineWidth = 1.25;
    context.globalAlpha = 0.6;
    for (let i = 0; i < draws; i++) {
      const [across, up] = [found.pathwise[2 * i], found.pathwise[2 * i + 1]];
      arrow(context, x, y, across * unit * times, -up * unit * times);
    }
    context.globalAlpha = 1;
    context.strokeStyle = palette.ink;
    context.lineWidth = 2;
    arrow(context, x, y, slope[0] * unit * times, -slope[1] * unit * times);
    context.restore();
    context.font = `11px ${palette.font}`;
    context.fillStyle = palette.ink;
    context.textAlign = "right";
    context.fillText(`× ${times.toLocaleString("en")}`, side - 8, y - radius - 6);
    context.textAlign = "left";
  }
}

/** A colour of its own for each ε, in either theme. @param {number} i */
const hue = (i) => `hsl(${Math.round((360 * i) / COUNT)} 62% 52%)`;

/** Two figures that count. @param {number} value */
function rounded(value) {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(value, 1e-9))) - 1);
  return value < 10 ? nats(value, 1) : nats(Math.round(value / power) * power, 0);
}

/**
 * The deviation of a cloud of arrows from its mean, over both axes.
 *
 * @param {Float64Array} cloud
 */
function spread(cloud) {
  const count = cloud.length / 2;
  let sum = 0;
  for (const k of [0, 1]) {
    let mean = 0;
    for (let i = 0; i < count; i++) mean += cloud[2 * i + k] / count;
    for (let i = 0; i < count; i++) sum += (cloud[2 * i + k] - mean) ** 2 / (count - 1);
  }
  return Math.sqrt(sum);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} across
 * @param {number} down
 */
export function arrow(context, x, y, across, down) {
  const length = Math.hypot(across, down);
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + across, y + down);
  if (length > 8) {
    const [a, b] = [(5 * across) / length, (5 * down) / length];
    context.moveTo(x + across - a - 0.6 * b, y + down - b + 0.6 * a);
    context.lineTo(x + across, y + down);
    context.lineTo(x + across - a + 0.6 * b, y + down - b - 0.6 * a);
  }
  context.stroke();
}

/** A square canvas, cleared, at the screen's own resolution. @param {HTMLCanvasElement} canvas */
function prepared(canvas) {
  const side = canvas.clientWidth;
  const pixels = Math.round(side * devicePixelRatio);
  if (canvas.width !== pixels) Object.assign(canvas, { width: pixels, height: pixels });
  const context = contextOf(canvas);
  const scale = side ? pixels / side : 1;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, side, side);
  return { context, side };
}
