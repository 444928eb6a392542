/** A curve over a run, or over β: lines, and a cursor that a hand may move. */

import { nats } from "./balance.js";
import { contextOf } from "./dom.js";

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {string} colour  By its name in the palette.
 * @property {number[][]} points  x and y of each.
 */

/**
 * @typedef {object} Drawing
 * @property {Line[]} lines
 * @property {number[]} stops  The x at which the cursor may stand.
 * @property {(x: number) => string} written  An x as people read it.
 */

const MARGIN = { left: 46, right: 12, top: 20, bottom: 22 };

export class Curve {
  /** @type {Drawing | undefined} */
  drawing;

  cursor = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Record<string, string>} palette
   * @param {(stop: number) => void} onPick  The cursor is moved to one of the stops.
   */
  constructor(canvas, palette, onPick) {
    this.canvas = canvas;
    this.palette = palette;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.drawing) return;
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      onPick(this.nearest(event.offsetX));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) onPick(this.nearest(event.offsetX));
    });
  }

  /** @param {Drawing} drawing */
  show(drawing) {
    this.drawing = drawing;
    this.draw();
  }

  /** @param {number} stop */
  point(stop) {
    this.cursor = stop;
    this.draw();
  }

  /** Where an x stands: the axis is one of powers. @param {number} x */
  across(x) {
    const stops = this.drawing?.stops ?? [1, 10];
    const [from, to] = [stops[0], stops[stops.length - 1]].map(Math.log);
    const wide = this.canvas.clientWidth - MARGIN.left - MARGIN.right;
    return MARGIN.left + (wide * (Math.log(x) - from)) / (to - from);
  }

  /** @param {number} left */
  nearest(left) {
    const places = (this.drawing?.stops ?? []).map((x) => Math.abs(this.across(x) - left));
    return places.indexOf(Math.min(...places));
  }

  draw() {
    const { canvas, palette, drawing } = this;
    const [wide, tall] = [canvas.clientWidth, canvas.clientHeight];
    if (!wide || !drawing) return;
    const [width, height] = [wide, tall].map((side) => Math.round(side * devicePixelRatio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = contextOf(canvas);
    context.setTransform(width / wide, 0, 0, height / tall, 0, 0);
    context.clearRect(0, 0, wide, tall);
    const { lines, stops, written } = drawing;
    const heights = lines.flatMap(({ points }) => points.map(([, y]) => y));
    const high = Math.max(...heights);
    const low = Math.min(...heights);
    const step = rounding((high - low) / 3);
    const [bottom, top] = [Math.floor(low / step) * step, high + 0.06 * (high - low)];
    /** @param {number} y */
    const up = (y) =>
      tall - MARGIN.bottom - ((tall - MARGIN.top - MARGIN.bottom) * (y - bottom)) / (top - bottom);

    context.font = `11px ${palette.font}`;
    context.lineWidth = 1;
    context.fillStyle = palette.quiet;
    context.strokeStyle = palette.edge;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let y = bottom; y <= top; y += step) {
      context.beginPath();
      context.moveTo(MARGIN.left, up(y));
      context.lineTo(wide - MARGIN.right, up(y));
      context.stroke();
      context.fillText(nats(y, 0), MARGIN.left - 6, up(y));
    }
    context.textAlign = "center";
    let last = -Infinity;
    for (const stop of stops) {
      const at = this.across(stop);
      context.beginPath();
      context.moveTo(at, tall - MARGIN.bottom);
      context.lineTo(at, tall - MARGIN.bottom + 4);
      context.stroke();
      const half = context.measureText(written(stop)).width / 2;
      const from = Math.min(at - half, wide - 2 * half - 2);
      if (from < last + 10) continue;
      context.fillText(written(stop), from + half, tall - 8);
      last = from + 2 * half;
    }
    context.save();
    context.beginPath();
    context.rect(MARGIN.left, MARGIN.top - 6, wide, tall - MARGIN.top - MARGIN.bottom + 6);
    context.clip();
    context.lineWidth = 2;
    context.lineJoin = "round";
    for (const { points, colour } of lines) {
      context.strokeStyle = palette[colour];
      context.beginPath();
      for (const [x, y] of points) context.lineTo(this.across(x), up(y));
      context.stroke();
    }
    context.restore();
    this.drawCursor(context, up);
    this.drawNames(context, wide);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {(y: number) => number} up
   */
  drawCursor(context, up) {
    const { palette, drawing, canvas } = this;
    if (!drawing) return;
    const x = drawing.stops[this.cursor];
    const at = this.across(x);
    context.strokeStyle = palette.ink;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(at, MARGIN.top - 6);
    context.lineTo(at, canvas.clientHeight - MARGIN.bottom);
    context.stroke();
    for (const { points, colour } of drawing.lines) {
      const y = points.find(([place]) => place === x)?.[1];
      if (y === undefined) continue;
      context.beginPath();
      context.arc(at, up(y), 4.5, 0, 2 * Math.PI);
      context.fillStyle = palette[colour];
      context.strokeStyle = palette.paper;
      context.fill();
      context.stroke();
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} wide
   */
  drawNames(context, wide) {
    const { palette, drawing } = this;
    context.font = `600 12px ${palette.font}`;
    context.textAlign = "right";
    let right = wide - MARGIN.right;
    for (const { name, colour } of [...(drawing?.lines ?? [])].reverse()) {
      context.fillStyle = palette[colour];
      context.fillText(name, right, 8);
      right -= context.measureText(name).width + 16;
    }
    context.textAlign = "left";
    context.fillStyle = palette.quiet;
    context.font = `11px ${palette.font}`;
    context.fillText("nats a face", 2, 8);
  }
}

/** A round number near one. @param {number} wanted */
function rounding(wanted) {
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [5, 2, 1].map((n) => n * power).find((n) => n <= wanted) ?? power;
}
