/** The last step, beyond the plane: what the prior promises, what lies outside, and two ways across. */

/** @import { Spot } from "./field.js" */
/** @import { Journey } from "./shelf.js" */
/** @import { Subject } from "./subject.js" */

import { nats } from "./balance.js";
import { bounded, LOG_DENSITY } from "./bound.js";
import { find } from "./dom.js";
import { COMPASS, Field, label } from "./field.js";
import { theShelf } from "./shelf.js";
import { tuple } from "./words.js";

/** How far the plane goes here, and points a side of the map of holes. */
const FAR = 5;
const MAP = 121;

/** How wide each posterior mean is spread to make a density of them all. */
const BANDWIDTH = 0.15;

/** Where the data are so many times rarer than the prior, it promises what is not there. */
const RARE = 10;

/** Data nearer than this are near. */
const NEARBY = 0.3;

/** Faces of a strip. */
const STRIP = 9;

/**
 * The density of points, each spread as a Gaussian, at the places of a square map.
 *
 * @param {ArrayLike<number>} points  Two numbers each.
 * @param {number} extent  The map's half-width.
 */
export function densityOf(points, extent, side = MAP, bandwidth = BANDWIDTH) {
  const density = new Float64Array(side * side);
  const step = (2 * extent) / (side - 1);
  const reach = Math.ceil((4 * bandwidth) / step);
  const peak = 1 / ((points.length / 2) * 2 * Math.PI * bandwidth ** 2);
  for (let i = 0; i < points.length; i += 2) {
    const column = Math.round((points[i] + extent) / step);
    const row = Math.round((points[i + 1] + extent) / step);
    for (let a = Math.max(0, row - reach); a <= Math.min(side - 1, row + reach); a++) {
      for (let b = Math.max(0, column - reach); b <= Math.min(side - 1, column + reach); b++) {
        const u = (b * step - extent - points[i]) / bandwidth;
        const v = (a * step - extent - points[i + 1]) / bandwidth;
        density[a * side + b] += peak * Math.exp(-(u * u + v * v) / 2);
      }
    }
  }
  return density;
}

/** The prior's density. @param {number} x @param {number} y */
const prior = (x, y) => Math.exp(-(x * x + y * y) / 2) / (2 * Math.PI);

export class Beyond {
  z = [0, 0];

  /** @type {Journey[]} */
  journeys = [];

  chosen = 0;
  t = 0.5;
  view = "promise";

  /**
   * @param {HTMLElement} section
   * @param {Subject} subject
   * @param {Record<string, string>} palette
   */
  constructor(section, subject, palette) {
    this.section = section;
    this.subject = subject;
    this.palette = palette;
    this.field = new Field(find(section, ".field", HTMLCanvasElement), palette, FAR);
    this.field.points = subject.model.points;
    this.field.onDraw = () => this.draw();
    this.field.onPress = (at, z) => this.press(at, z);
    this.field.onKey = (event) => this.key(event);
    this.slider = find(section, "[name=along]", HTMLInputElement);
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    for (const input of section.querySelectorAll("[name=beyond]")) {
      input.addEventListener("change", () => {
        this.turn(/** @type {HTMLInputElement} */ (input).value);
      });
    }
    find(section, "[name=pair]", HTMLButtonElement).addEventListener("click", () => {
      this.choose((this.chosen + 1) % Math.max(1, this.journeys.length));
    });
    this.arrived = () => this.takeJourneys();
    this.holes = this.findHoles();
    // There are no points where a model carries none.
    find(section, ".share", HTMLElement).textContent = subject.model.points.length
      ? `${Math.round(100 * this.holes.share)} % of the prior’s mass lies where the data are more than ten times rarer than it promises.`
      : "";
  }

  enter() {
    theShelf().addEventListener("lesson", this.arrived);
    this.takeJourneys();
    this.put(this.z);
    this.turn(this.view);
  }

  leave() {
    theShelf().removeEventListener("lesson", this.arrived);
  }

  resize() {
    this.field.measure();
  }

  takeJourneys() {
    const { lesson } = theShelf();
    if (!lesson || this.journeys === lesson.journeys) return;
    this.journeys = lesson.journeys;
    if (!this.journeys.length) {
      find(this.section, ".waiting", HTMLElement).textContent =
        "This model carries no faces to go between.";
      return;
    }
    this.section.dataset.ways = "known";
    this.choose(0);
  }

  /** @param {string} view  `promise` or `ways`. */
  turn(view) {
    this.view = view;
    this.section.dataset.view = view;
    if (view === "ways") this.choose(this.chosen);
    else this.field.whole();
    this.field.refresh();
  }

  /** Where the prior is much denser than the data: shades, and how much of it that is. */
  findHoles() {
    const density = densityOf(this.subject.model.points, FAR);
    const shades = new Float64Array(density.length);
    let [inside, all] = [0, 0];
    for (let n = 0; n < density.length; n++) {
      const x = FAR * ((2 * (n % MAP)) / (MAP - 1) - 1);
      const y = FAR * ((2 * Math.floor(n / MAP)) / (MAP - 1) - 1);
      const promised = prior(x, y);
      all += promised;
      if (density[n] < promised / RARE) inside += promised;
      const missing = Math.max(0, 1 - (RARE * density[n]) / (promised * 3));
      shades[n] = missing * Math.sqrt(promised / prior(0, 0));
    }
    return { shades, share: inside / all };
  }

  /** @param {Spot} at @param {Spot} z */
  press(at, z) {
    if (this.view === "ways") {
      this.go(this.nearestOnWay(z));
      return { move: (/** @type {Spot} */ there) => this.go(this.nearestOnWay(there)) };
    }
    return this.field.hold(at, z, this.z, (there) => this.put(there));
  }

  /** @param {KeyboardEvent} event */
  key({ key, shiftKey }) {
    const step = COMPASS[key];
    if (!step) return false;
    if (this.view === "ways") this.go(bounded(this.t + (step[0] + step[1]) / 32, 0, 1));
    else this.put(this.z.map((value, k) => value + step[k] * (shiftKey ? 0.5 : 0.05)));
    return true;
  }

  /** @param {number[]} z */
  put(z) {
    const { subject, section } = this;
    this.z = z.map((value) => bounded(value, -FAR, FAR));
    const [x, y] = this.z;
    const { points } = subject.model;
    let [nearest, distance] = [-1, Infinity];
    for (let i = 0; i < points.length; i += 2) {
      const away = Math.hypot(points[i] - x, points[i + 1] - y);
      if (away < distance) [nearest, distance] = [i, away];
    }
    subject.paint(find(section, ".here", HTMLCanvasElement), subject.meanAt(this.z));
    const known = nearest < 0 ? this.z : [points[nearest], points[nearest + 1]];
    subject.paint(find(section, ".nearest", HTMLCanvasElement), subject.meanAt(known));
    const radius = Math.hypot(x, y);
    const density = -LOG_DENSITY - (radius * radius) / 2;
    find(section, ".where", HTMLElement).textContent =
      `z = ${tuple(Float32Array.from(this.z))}, log p(z) = ${nats(density, 2)}`;
    find(section, ".distance", HTMLElement).textContent =
      nearest < 0 ? "" : `${distance.toFixed(2)} away`;
    const beyond = Math.exp((radius * radius) / 2);
    const rarely =
      beyond > 1e6
        ? "fewer than one dart in a million falls"
        : `one dart in ${nats(beyond, 0)} falls`;
    const near = distance < NEARBY;
    find(section, ".verdict", HTMLElement).textContent =
      radius > 3
        ? `Outside 3σ: ${rarely} so far out${near ? ", and yet some of the data lie here" : ". No face taught the decoder anything here, and it draws one all the same"}.`
        : near
          ? "The data lie here: the decoder has learnt what such faces look like."
          : "A hole: the prior promises faces here, but no training face lies near. What you see is the decoder’s guess.";
    this.field.refresh();
  }

  /** @param {number} place */
  choose(place) {
    const journey = this.journeys[place];
    if (!journey) return;
    this.chosen = place;
    const { straight, geodesic } = journey;
    const all = [...straight.points, ...geodesic.points];
    const [x, y] = [0, 1].map((k) => all.map((z) => z[k]));
    const [left, right] = [Math.min(...x), Math.max(...x)];
    const [bottom, top] = [Math.min(...y), Math.max(...y)];
    if (this.view === "ways") {
      this.field.glide({
        x: (left + right) / 2,
        y: (bottom + top) / 2,
        half: 0.74 * Math.max(right - left, top - bottom, 0.2),
      });
    }
    const shorter = 100 * (1 - geodesic.length / straight.length);
    find(this.section, ".lengths", HTMLElement).textContent =
      `Straight ${straight.length.toFixed(2)}, geodesic ${geodesic.length.toFixed(2)}: ${shorter < 0.5 ? "here the straight line is the shortest way" : `${shorter.toFixed(0)} % shorter`}.`;
    for (const [name, way] of Object.entries({ straight, geodesic })) {
      const strip = find(this.section, `.strip.${name}`, HTMLElement);
      strip.replaceChildren(
        ...Array.from({ length: STRIP }, (_, i) => {
          const canvas = document.createElement("canvas");
          canvas.className = "face";
          this.subject.paint(canvas, this.subject.meanAt(pointOn(way.points, i / (STRIP - 1))));
          return canvas;
        }),
      );
    }
    this.go(this.t);
  }

  /** How far along both ways. @param {number} t */
  go(t) {
    this.t = t;
    this.slider.value = String(t);
    const journey = this.journeys[this.chosen];
    if (journey) {
      for (const name of /** @type {const} */ (["straight", "geodesic"])) {
        const z = pointOn(journey[name].points, t);
        const canvas = find(this.section, `.on-${name}`, HTMLCanvasElement);
        this.subject.paint(canvas, this.subject.meanAt(z));
      }
    }
    this.field.refresh();
  }

  /** @param {Spot} z */
  nearestOnWay([x, y]) {
    const way = this.journeys[this.chosen]?.geodesic.points ?? [];
    let [nearest, distance] = [0, Infinity];
    way.forEach(([u, v], i) => {
      const away = Math.hypot(u - x, v - y);
      if (away < distance) [nearest, distance] = [i, away];
    });
    return way.length ? nearest / (way.length - 1) : this.t;
  }

  draw() {
    if (this.view === "ways") this.drawWays();
    else this.drawPromise();
  }

  drawPromise() {
    const { field, palette } = this;
    const { context } = field;
    const cloud = this.tinted();
    const half = FAR * (MAP / (MAP - 1));
    const [left, top] = field.pixels([-half, half]);
    const [right, bottom] = field.pixels([half, -half]);
    context.imageSmoothingQuality = "high";
    context.drawImage(cloud, left, top, right - left, bottom - top);
    context.globalAlpha = 1;
    const [x, y] = field.pixels(this.z);
    context.strokeStyle = palette.accent;
    context.lineWidth = 3;
    context.beginPath();
    context.arc(x, y, 9, 0, 2 * Math.PI);
    context.stroke();
    label(field, "z", [x + 13, y + 4], palette.accent);
  }

  /** The map of holes in the theme's colour. */
  tinted() {
    const { palette, holes } = this;
    if (this.map?.dataset.colour === palette.warm) return this.map;
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: MAP, height: MAP });
    canvas.dataset.colour = palette.warm;
    const context = canvas.getContext("2d");
    if (context) {
      context.fillStyle = palette.warm;
      context.fillRect(0, 0, MAP, MAP);
      const image = context.getImageData(0, 0, MAP, MAP);
      holes.shades.forEach((shade, n) => {
        // Upwards in the plane is downwards in rows.
        const row = MAP - 1 - Math.floor(n / MAP);
        image.data[4 * (row * MAP + (n % MAP)) + 3] = 235 * shade;
      });
      context.putImageData(image, 0, 0);
    }
    this.map = canvas;
    return canvas;
  }

  drawWays() {
    const { field, palette, t } = this;
    const { context } = field;
    const journey = this.journeys[this.chosen];
    if (!journey) return;
    const ways = [
      { points: journey.straight.points, colour: palette.warm, dash: [7, 5], name: "straight" },
      { points: journey.geodesic.points, colour: palette.accent, dash: [], name: "geodesic" },
    ];
    for (const { points, colour, dash, name } of ways) {
      context.strokeStyle = colour;
      context.lineWidth = 3;
      context.setLineDash(dash);
      context.beginPath();
      for (const z of points) context.lineTo(...field.pixels(z));
      context.stroke();
      context.setLineDash([]);
      const [x, y] = field.pixels(pointOn(points, t));
      context.fillStyle = colour;
      context.beginPath();
      context.arc(x, y, 7, 0, 2 * Math.PI);
      context.fill();
      context.strokeStyle = palette.paper;
      context.lineWidth = 2;
      context.stroke();
      const [u, v] = field.pixels(pointOn(points, 0.5));
      label(field, name, [u + 10, name === "straight" ? v - 8 : v + 18], colour);
    }
  }
}

/**
 * A point of a way, by its share.
 *
 * @param {number[][]} points
 * @param {number} t
 */
export function pointOn(points, t) {
  const place = t * (points.length - 1);
  const i = Math.min(points.length - 2, Math.floor(place));
  return points[i].map((value, k) => value + (points[i + 1][k] - value) * (place - i));
}
