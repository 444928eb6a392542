/**
 * The latent pad: z follows the pointer, and the face follows z within the same frame.
 *
 *   Decoder   the model, from a point z to the mean and deviation of every pixel
 *   Face      what is seen of them: mean, sample or uncertainty
 *   Plane     where z is: the prior, the posterior, the manifold, the cursor
 *   Sliders   one latent each
 *   Tray      faces kept
 *   Motion    glides and walks
 *   Pad       z itself, and all of the above tied to it
 */

const STEP = 0.05;
const LEAP = 0.5;
const GLIDE_SECONDS = 0.5;
const LEG_SECONDS = 1.8;
const WALK_LEGS = 9;
const MOST_PINS = 6;

// Longer than the pause between two key repeats, shorter than a person waits.
const SETTLE_MS = 250;

// How long weights may be under way before the pad says that they are missing.
const PATIENCE_MS = 10_000;

// Up to so many sliders have their name and value above them; more have them beside.
const ROOMY_SLIDERS = 4;

// A finger that rests so long on the plane, or lands so near the point, holds the point.
const HOLD_MS = 180;
const NEAR_PX = 30;

// How far a finger moves before it is neither resting nor tapping.
const SLOP_PX = 8;

// What is remembered between visits, and what is shown to who has chosen nothing yet.
const MEMORY = "visage-pad";
const SHOWN_AT_FIRST = { faces: true, points: true, arrows: true, grain: "smooth" };

// What the manifold behind the plane may take of a frame.
const SLICE_MS = 5;

// Where the strip of faces begins with one latent, below the names of the rings.
const STRIP_TOP = 26;

const SVG = "http://www.w3.org/2000/svg";

const activation = Math.tanh;
const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));
const deviation = (logVar) => Math.exp(logVar / 2);

/** y[i] = weight[first + i] · x + bias[first + i], for as many i as y has. */
function affine({ weight, bias }, x, y, first = 0) {
  const width = x.length;
  const even = width - (width % 4);
  for (let i = 0; i < y.length; i++) {
    const row = (first + i) * width;
    // Four sums at once: one alone waits on each addition before it can start the next.
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let j = 0;
    for (; j < even; j += 4) {
      a += weight[row + j] * x[j];
      b += weight[row + j + 1] * x[j + 1];
      c += weight[row + j + 2] * x[j + 2];
      d += weight[row + j + 3] * x[j + 3];
    }
    for (; j < width; j++) a += weight[row + j] * x[j];
    y[i] = a + b + c + d + bias[first + i];
  }
}

/** A GaussianMLP with a sigmoid on its mean; its arrays are reused from one call to the next. */
export class Decoder {
  constructor(sizes, layers) {
    this.hidden = layers.slice(0, -1);
    this.head = layers.at(-1);
    this.units = this.hidden.map(({ bias }) => new Float32Array(bias.length));
    this.mean = new Float32Array(sizes.at(-1) / 2);
    this.deviation = new Float32Array(sizes.at(-1) / 2);
  }

  /** The mean at z, and if asked for the standard deviation, in units of a pixel's [0, 1]. */
  decode(z, withDeviation = false) {
    let x = z;
    this.hidden.forEach((layer, depth) => {
      const y = this.units[depth];
      affine(layer, x, y);
      for (let i = 0; i < y.length; i++) y[i] = activation(y[i]);
      x = y;
    });
    const { mean, deviation: std } = this;
    affine(this.head, x, mean);
    for (let i = 0; i < mean.length; i++) mean[i] = sigmoid(mean[i]);
    if (withDeviation) {
      affine(this.head, x, std, mean.length);
      for (let i = 0; i < std.length; i++) std[i] = deviation(std[i]);
    }
    return this;
  }
}

/** A model from the buffer that Python packed: what it is, its decoder, the posterior's means. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let offset = 4 + length;
  const take = (Type, count) => {
    const array = new Type(buffer, offset, count);
    offset += array.byteLength;
    return array;
  };
  const { sizes } = header;
  const layers = sizes.slice(1).map((width, depth) => ({
    weight: take(Float32Array, width * sizes[depth]),
    bias: take(Float32Array, width),
  }));
  const steps = take(Int16Array, header.points * sizes[0]);
  const points = Float32Array.from(steps, (step) => step * header.unit);
  return { ...header, latents: sizes[0], points, decoder: new Decoder(sizes, layers) };
}

/** What the visitor has chosen to see, in this browser; a private window may forget it. */
function remembered() {
  const shown = { ...SHOWN_AT_FIRST };
  try {
    const chosen = JSON.parse(localStorage.getItem(MEMORY)) ?? {};
    for (const name in shown) {
      if (typeof chosen[name] === typeof shown[name]) shown[name] = chosen[name];
    }
  } catch {
    // There is no storage, or not what this wrote.
  }
  if (shown.grain !== "pixels") shown.grain = "smooth";
  return shown;
}

function remember(shown) {
  try {
    localStorage.setItem(MEMORY, JSON.stringify(shown));
  } catch {
    // There is no storage here: it holds until the page is left.
  }
}

const normal = () =>
  Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** A point of the posterior by its row, or of the prior where the model carries none. */
function placeIn({ points, latents }, row) {
  if (!points.length) return Float32Array.from({ length: latents }, normal);
  return points.slice(row * latents, (row + 1) * latents);
}

/** matplotlib's inferno as 256 RGB triples, through the polynomial fitted to it by Matt Zucker. */
const inferno = (() => {
  const terms = [
    [0.00021894, 0.0016510, -0.019481],
    [0.10651342, 0.56395644, 3.93271239],
    [11.60249308, -3.97285397, -15.9423941],
    [-41.70399613, 17.43639888, 44.35414520],
    [77.16293570, -33.40235894, -81.80730926],
    [-71.31942824, 32.62606426, 73.20951986],
    [25.13112622, -12.24266895, -23.07032500],
  ];
  const table = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = terms.reduceRight((sum, term) => sum * (i / 255) + term[channel], 0);
      table[3 * i + channel] = 255 * value;
    }
  }
  return table;
})();

/** Write an image's pixels, D values in [0, 1], into RGBA bytes. */
function colour(pixels, channels, rgba) {
  for (let from = 0, to = 0; from < pixels.length; from += channels, to += 4) {
    rgba[to] = 255 * pixels[from];
    rgba[to + 1] = 255 * pixels[channels === 3 ? from + 1 : from];
    rgba[to + 2] = 255 * pixels[channels === 3 ? from + 2 : from];
    rgba[to + 3] = 255;
  }
}

/** Write an image's deviations into RGBA bytes as a heat map that ends at the ceiling. */
function heat(deviations, channels, ceiling, rgba) {
  for (let from = 0, to = 0; from < deviations.length; from += channels, to += 4) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += deviations[from + channel];
    const shade = 3 * Math.min(255, Math.round((255 * sum) / channels / ceiling));
    rgba[to] = inferno[shade];
    rgba[to + 1] = inferno[shade + 1];
    rgba[to + 2] = inferno[shade + 2];
    rgba[to + 3] = 255;
  }
}

/** Draw the decoder's mean at z at the canvas's own size, a pixel a pixel. */
function drawMean(canvas, model, z) {
  const [height, width, channels = 1] = model.shape;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const image = new ImageData(width, height);
  colour(model.decoder.decode(z).mean, channels, image.data);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

class Face {
  mode = "mean";

  constructor(root) {
    this.frame = root.querySelector(".frame");
    this.canvas = root.querySelector(".face");
    this.noiseButton = root.querySelector(".noise");
    this.legend = root.querySelector(".legend");
    this.context = this.canvas.getContext("2d");
    const stops = [0, 51, 102, 153, 204, 255].map((i) => `rgb(${inferno.slice(3 * i, 3 * i + 3)})`);
    root.querySelector(".legend i").style.background = `linear-gradient(90deg, ${stops})`;
  }

  adopt(model) {
    this.model = model;
    const [height, width, channels = 1] = model.shape;
    this.channels = channels;
    if (this.image?.width !== width || this.image.height !== height) {
      this.image = new ImageData(width, height);
      Object.assign(this.canvas, { width, height });
    }
    if (this.noise?.length !== model.decoder.mean.length) this.redrawNoise();
    this.ceiling = 0;
    this.resize();
  }

  show(mode) {
    this.mode = mode;
    this.noiseButton.hidden = mode !== "sample";
    this.legend.hidden = mode !== "deviation";
  }

  redrawNoise() {
    this.noise = Float32Array.from({ length: this.model.decoder.mean.length }, normal);
  }

  /** The deviation at which the heat map ends: the same for every z, so that shades compare. */
  measureCeiling() {
    const { decoder, points, latents } = this.model;
    const count = points.length / latents;
    const all = new Float32Array(32 * decoder.deviation.length);
    for (let i = 0; i < 32; i++) {
      const z = placeIn(this.model, Math.floor((i * count) / 32));
      all.set(decoder.decode(z, true).deviation, i * decoder.deviation.length);
    }
    all.sort();
    this.ceiling = all[Math.floor(0.995 * (all.length - 1))];
    this.legend.querySelector(".ceiling").textContent = this.ceiling.toPrecision(2);
  }

  draw(z) {
    if (!this.model) return;
    const { decoder } = this.model;
    const rgba = this.image.data;
    if (this.mode === "deviation") {
      if (!this.ceiling) this.measureCeiling();
      heat(decoder.decode(z, true).deviation, this.channels, this.ceiling, rgba);
    } else if (this.mode === "sample") {
      const { mean, deviation: std } = decoder.decode(z, true);
      for (let i = 0; i < mean.length; i++) mean[i] += std[i] * this.noise[i];
      colour(mean, this.channels, rgba);
    } else {
      colour(decoder.decode(z).mean, this.channels, rgba);
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /** Each pixel becomes a square of whole device pixels, as large as fits. */
  resize() {
    if (!this.model) return;
    const [height, width] = this.model.shape;
    const box = this.frame.getBoundingClientRect();
    const fit = Math.min(box.width / width, box.height / height) * devicePixelRatio;
    const scale = (fit >= 1 ? Math.floor(fit) : fit) / devicePixelRatio;
    const { style } = this.canvas;
    style.width = `${width * scale}px`;
    style.height = `${height * scale}px`;
    const snap = (length) => Math.round(length * devicePixelRatio) / devicePixelRatio;
    style.left = `${snap((box.width - width * scale) / 2)}px`;
    style.top = `${snap((box.height - height * scale) / 2)}px`;
  }
}

class Plane {
  shown = SHOWN_AT_FIRST;
  axes = [0, 1];
  own = 4;
  extent = 4;

  constructor(root) {
    this.pad = root.querySelector(".pad");
    this.canvas = root.querySelector(".chart");
    this.manifold = root.querySelector(".manifold");
    this.overlay = root.querySelector(".overlay");
    this.rings = root.querySelector(".rings");
    this.cursor = root.querySelector(".cursor");
    this.chooser = root.querySelector(".axes");
    this.selects = [...this.chooser.querySelectorAll("select")];
    this.context = this.canvas.getContext("2d");
    this.cells = this.manifold.getContext("2d");
    this.side = 0;
  }

  adopt(model) {
    if (this.model?.latents !== model.latents) {
      this.axes = model.latents > 1 ? [0, 1] : [0];
      this.chooser.hidden = model.latents < 3;
      this.selects.forEach((select, i) => {
        const names = Array.from({ length: model.latents }, (_, k) => new Option(named(k), k));
        select.replaceChildren(...names);
        select.value = this.axes[i];
      });
    }
    // A plane that shrank while a model trains would move everything under the pointer.
    this.own = Math.max(this.model?.model === model.model ? this.own : 0, model.extent);
    this.model = model;
    this.painted = undefined;
  }

  /** Make the plane as wide as the model's data or, where they lie further out, these points. */
  fit(...points) {
    const reach = Math.max(...points.map((z) => Math.max(...z.map(Math.abs))));
    // A little more than z, so that the cursor is not cut by the edge.
    const extent = reach <= this.own ? this.own : Math.ceil(1.15 * reach);
    if (extent === this.extent) return false;
    this.extent = extent;
    this.painted = undefined;
    return true;
  }

  /** Choose the latent of one axis; the axis that had it takes the other's. */
  choose(axis, latent) {
    const axes = [...this.axes];
    if (axes[1 - axis] === latent) axes[1 - axis] = axes[axis];
    axes[axis] = latent;
    this.turn(axes);
  }

  /** Choose the latents of both axes. */
  turn(axes) {
    if (axes?.length !== this.axes.length || axes.every((k, i) => k === this.axes[i])) return;
    this.axes = [...axes];
    this.selects.forEach((select, i) => (select.value = this.axes[i]));
    this.painted = undefined;
  }

  /** CSS pixels from the pad's left or bottom edge. */
  toPixels(latent) {
    return ((latent / this.extent + 1) / 2) * this.side;
  }

  place(z) {
    const [across, up] = this.axes;
    const x = this.toPixels(z[across]);
    const y = this.side - this.toPixels(up === undefined ? 0 : z[up]);
    return [x, y];
  }

  /** Where a pointer event lies in the plane, kept within it. */
  locate(event) {
    const box = this.pad.getBoundingClientRect();
    const within = (share) => Math.min(1, Math.max(-1, share)) * this.extent;
    return [
      within((2 * (event.clientX - box.left)) / box.width - 1),
      within(1 - (2 * (event.clientY - box.top)) / box.height),
    ];
  }

  /** Where the cursor is, in the window's pixels. */
  middle() {
    const box = this.cursor.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  }

  point(z) {
    const [x, y] = this.place(z);
    this.cursor.style.transform = `translate(${x}px, ${y}px)`;
    for (const arrow of this.overlay.querySelectorAll(".arrow")) {
      const away = arrow.at.some((latent, k) => Math.abs(latent - z[k]) > 0.01);
      arrow.classList.toggle("left", away);
    }
  }

  resize() {
    this.side = this.pad.clientWidth;
    const pixels = Math.round(this.side * devicePixelRatio);
    if (this.canvas.width === pixels) return false;
    for (const canvas of [this.canvas, this.manifold]) canvas.width = canvas.height = pixels;
    this.painted = undefined;
    return true;
  }

  annotate(arrows) {
    const element = (name, attributes, text = "") => {
      const made = document.createElementNS(SVG, name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      made.textContent = text;
      return made;
    };
    const head = element("marker", {
      id: "tip",
      viewBox: "0 0 8 8",
      refX: 5,
      refY: 4,
      markerWidth: 4.5,
      markerHeight: 4.5,
      orient: "auto",
    });
    head.append(element("path", { d: "M0 0.5 7.5 4 0 7.5z" }));
    const drawn = [];
    for (const { vector, at, label } of arrows) {
      const [x1, y1] = this.place(at);
      const [x2, y2] = this.place(at.map((latent, k) => latent + vector[k]));
      const group = element("g", { class: "arrow" });
      const anchor = x2 < x1 ? "end" : "start";
      const x = x2 + 8 * Math.sign(x2 - x1);
      group.at = at;
      group.append(
        element("line", { x1, y1, x2, y2, "marker-end": "url(#tip)" }),
        element("text", { x, y: y2 + 4, "text-anchor": anchor }, label),
      );
      drawn.push(group);
    }
    this.overlay.replaceChildren(head, ...drawn);
  }

  /** Draw what lies behind the cursor. */
  draw(z) {
    if (!this.model || !this.side) return;
    const { context, canvas } = this;
    const scale = canvas.width / this.side;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, this.side, this.side);
    const { faces, points } = this.shown;
    this.manifold.hidden = !faces;
    this.pad.classList.toggle("faces", faces);
    const style = getComputedStyle(this.pad);
    // Faces are as dark or light in either theme.
    this.ink = faces ? "white" : style.color;
    this.firmness = faces ? 2.2 : 1;
    this.cloud = style.getPropertyValue("--cloud");
    context.shadowColor = faces ? "black" : "transparent";
    context.shadowBlur = 2 * scale;
    if (faces && this.outdated(z)) this.startManifold(z);
    if (points && this.model.latents > 1) this.drawPosterior();
    this.drawPrior();
    if (points && this.model.latents === 1) this.drawDensity();
  }

  /** The axes, and the rings of 1, 2 and 3 standard deviations. */
  drawPrior() {
    const { context, side } = this;
    context.strokeStyle = context.fillStyle = this.ink;
    context.lineWidth = 1;
    context.font = `11px ${getComputedStyle(this.pad).fontFamily}`;
    const middle = Math.round(side / 2) + 0.5;
    context.globalAlpha = 0.12 * this.firmness;
    context.beginPath();
    context.moveTo(middle, 0);
    context.lineTo(middle, side);
    context.moveTo(0, middle);
    context.lineTo(side, middle);
    context.stroke();
    const labels = [];
    const unit = side / 2 / this.extent;
    for (const sigmas of [1, 2, 3]) {
      const radius = sigmas * unit;
      context.globalAlpha = (0.34 - 0.06 * sigmas) * this.firmness;
      context.beginPath();
      if (this.model.latents === 1) {
        for (const x of [side / 2 - radius, side / 2 + radius]) {
          context.moveTo(x, 0);
          context.lineTo(x, side);
        }
      } else {
        context.arc(side / 2, side / 2, radius, 0, 2 * Math.PI);
      }
      context.stroke();
      // Rings too near to each other for a label each, in a plane that goes far, have the last.
      if (unit < 24 && (sigmas < 3 || radius < 24)) continue;
      const diagonal = radius * Math.SQRT1_2;
      const [x, y] =
        this.model.latents === 1
          ? [side / 2 + radius, 20]
          : [side / 2 + diagonal, side / 2 - diagonal];
      labels.push(this.ringLabel(sigmas, x + 2, y - 14));
    }
    this.rings.replaceChildren(...labels);
    context.globalAlpha = Math.min(1, 0.75 * this.firmness);
    context.textAlign = "right";
    const far = this.extent > this.own ? ` = ${this.extent}` : "";
    context.fillText(`${named(this.axes[0])}${far} →`, side - 10, middle - 7);
    context.textAlign = "left";
    if (this.axes.length > 1) context.fillText(`↑ ${named(this.axes[1])}`, middle + 7, 17);
    context.globalAlpha = 1;
  }

  /** The name of a ring, which says under the pointer what it means. */
  ringLabel(sigmas, left, top) {
    const inside = this.model.latents === 1 ? ["68", "95", "99.7"] : ["39", "86", "98.9"];
    const label = document.createElement("span");
    label.textContent = `${sigmas}σ`;
    label.title =
      `${sigmas} standard deviation${sigmas > 1 ? "s" : ""} of the prior p(z) from the origin: ` +
      `${inside[sigmas - 1]} % of its samples lie nearer, as seen in this plane`;
    Object.assign(label.style, { left: `${left}px`, top: `${top}px` });
    return label;
  }

  drawPosterior() {
    const { context, model, side } = this;
    const { faces } = this.shown;
    const [across, up] = this.axes;
    const { points, latents } = model;
    const count = points.length / latents;
    context.fillStyle = faces ? "white" : this.cloud;
    // Few points are drawn firmly, thousands lightly, so that density shows as shade.
    context.globalAlpha = Math.min(0.95, Math.max(0.5, 36 / Math.sqrt(count)));
    const radius = Math.max(faces ? 1.5 : 1.3, side / 300);
    context.save();
    context.shadowColor = "transparent";
    if (faces) {
      context.strokeStyle = "rgb(0 0 0 / 45%)";
      context.lineWidth = 0.5;
    }
    for (let row = 0; row < points.length; row += latents) {
      const x = this.toPixels(points[row + across]);
      const y = side - this.toPixels(points[row + up]);
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
      if (faces) context.stroke();
    }
    context.restore();
    context.globalAlpha = 1;
  }

  /** With one latent: the posterior's means as a histogram under the prior's density. */
  drawDensity() {
    const { context, model, side, extent } = this;
    const bins = 56;
    const counts = new Float32Array(bins);
    for (const latent of model.points) {
      const bin = Math.floor(((latent / extent + 1) / 2) * bins);
      if (bin >= 0 && bin < bins) counts[bin]++;
    }
    const density = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    const width = (2 * extent) / bins;
    const heights = counts.map((count) => count / model.points.length / width || 0);
    const unit = (side * 0.8) / Math.max(density(0), ...heights);
    context.fillStyle = this.cloud;
    context.globalAlpha = 0.6;
    heights.forEach((height, i) => {
      context.fillRect((i * side) / bins, side - height * unit, side / bins - 1, height * unit);
    });
    context.strokeStyle = this.ink;
    context.globalAlpha = 0.7;
    context.lineWidth = 1.5;
    context.beginPath();
    for (let x = 0; x <= side; x += 2) {
      context.lineTo(x, side - density(((2 * x) / side - 1) * extent) * unit);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  /**
   * Paint the manifold: a face in each cell, a few in every frame, over what was there before.
   * With more than two latents the others stay where z has them when the painting starts.
   */
  startManifold(z) {
    this.painted = Float32Array.from(z);
    // A painting under way is finished first: one that always began again would never end.
    if (!this.frame || this.model !== this.painting?.model) this.paintManifold();
    else this.again = true;
  }

  paintManifold() {
    const [height, width] = this.model.shape;
    const columns = Math.max(8, Math.min(24, Math.round(this.side / 26)));
    const rows = this.axes.length > 1 ? Math.max(1, Math.round((columns * width) / height)) : 1;
    this.again = false;
    const { model, extent, side } = this;
    // With one latent, a strip of faces above the density.
    const tall = this.axes.length > 1 ? side / rows : ((side / columns) * height) / width;
    const top = this.axes.length > 1 ? 0 : STRIP_TOP;
    this.painting = { model, extent, axes: [...this.axes], columns, rows, tall, top, cell: 0 };
    this.painting.z = Float32Array.from(this.painted);
    this.thumbnail ??= document.createElement("canvas");
    this.stop();
    if (rows === 1) this.cells.clearRect(0, 0, this.manifold.width, this.manifold.height);
    this.frame = requestAnimationFrame(() => this.paintCells());
  }

  paintCells() {
    const { cells, side, painting } = this;
    const { model, extent, axes, columns, rows, tall, top, z } = painting;
    const end = performance.now() + SLICE_MS;
    const width = side / columns;
    const scale = this.manifold.width / side;
    cells.setTransform(scale, 0, 0, scale, 0, 0);
    cells.imageSmoothingQuality = "high";
    for (; painting.cell < columns * rows && performance.now() < end; painting.cell++) {
      const column = painting.cell % columns;
      const row = Math.floor(painting.cell / columns);
      z[axes[0]] = ((2 * column + 1) / columns - 1) * extent;
      if (axes.length > 1) z[axes[1]] = (1 - (2 * row + 1) / rows) * extent;
      drawMean(this.thumbnail, model, z);
      cells.drawImage(this.thumbnail, column * width, top + row * tall, width, tall);
    }
    this.frame = 0;
    if (painting.cell < columns * rows) this.frame = requestAnimationFrame(() => this.paintCells());
    else if (this.again) this.paintManifold();
  }

  /** Whether the manifold is wanted and not the one through this point. */
  outdated(z) {
    if (!this.shown.faces) return false;
    return !this.painted || z.some((x, k) => !this.axes.includes(k) && x !== this.painted[k]);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }
}

const named = (latent) => `z${String(latent + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit])}`;
const written = (latent) => (Math.abs(latent) < 0.005 ? 0 : latent).toFixed(2).replace("-", "−");

class Sliders {
  inputs = [];
  values = [];

  constructor(root) {
    this.list = root.querySelector(".sliders");
  }

  adopt(model, extent) {
    if (this.inputs.length !== model.latents) {
      const rows = Array.from({ length: model.latents }, (_, k) => {
        const row = document.createElement("label");
        const input = document.createElement("input");
        Object.assign(input, { type: "range", step: 0.01, name: named(k) });
        input.setAttribute("aria-label", named(k));
        input.dataset.latent = k;
        row.className = model.latents > ROOMY_SLIDERS ? "slider beside" : "slider";
        const value = document.createElement("span");
        value.className = "value";
        row.append(named(k), value, input);
        return row;
      });
      this.list.replaceChildren(...rows);
      this.inputs = rows.map((row) => row.querySelector("input"));
      this.values = rows.map((row) => row.querySelector(".value"));
    }
    for (const input of this.inputs) Object.assign(input, { min: -extent, max: extent });
    this.moved = true;
  }

  point(z, extent) {
    this.inputs.forEach((input, k) => {
      const text = written(z[k]);
      const stays = this.values[k].textContent === text && Math.abs(input.value - z[k]) < 0.005;
      if (stays && !this.moved) return;
      input.value = z[k];
      input.setAttribute("aria-valuetext", text);
      input.style.setProperty("--filled", `${50 * (1 + z[k] / extent)}%`);
      this.values[k].textContent = text;
    });
    this.moved = false;
  }
}

class Tray {
  pins = [];

  constructor(root, { onReturn, onRemove, signal }) {
    this.list = root.querySelector(".tray");
    this.pinButton = root.querySelector("[name=pin]");
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      const i = [...this.list.children].indexOf(button.parentElement);
      if (button.className === "return") onReturn(this.pins[i]);
      if (button.className === "remove") {
        onRemove(i);
        const left = this.list.querySelectorAll(".return");
        (left[Math.min(i, left.length - 1)] ?? this.pinButton).focus();
      }
      if (button.className === "download") this.download(i);
    }, { signal });
    this.list.addEventListener("dragstart", (event) => {
      const i = [...this.list.children].indexOf(event.target.closest("li"));
      if (i < 0 || !event.dataTransfer) return;
      event.dataTransfer.setData("DownloadURL", `image/png:${this.fileName(i)}:${this.png(i)}`);
      event.dataTransfer.effectAllowed = "copy";
    }, { signal });
  }

  draw(model, pins) {
    this.model = model;
    this.pins = pins;
    this.list.hidden = !pins.length;
    const items = pins.map((_, i) => {
      const item = document.createElement("li");
      item.className = "kept";
      const face = document.createElement("canvas");
      drawMean(face, model, pins[i]);
      const where = `(${[...pins[i]].map(written).join(", ")})`;
      const back = this.button("return", `Go back to pinned face ${i + 1}, z = ${where}`, face);
      back.draggable = true;
      const cross = icon("M4.5 4.5l7 7M11.5 4.5l-7 7");
      const arrow = icon("M8 3v7M5 7.5l3 3 3-3M3.5 13h9");
      item.append(
        back,
        this.button("remove", `Remove pinned face ${i + 1}`, cross),
        this.button("download", `Download pinned face ${i + 1} as PNG`, arrow),
      );
      return item;
    });
    this.list.replaceChildren(...items);
    const full = pins.length >= MOST_PINS;
    this.pinButton.disabled = full;
    this.pinButton.title = full ? "The tray is full: remove a face first" : "Keep this face";
  }

  button(name, label, content) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: name, title: label });
    button.setAttribute("aria-label", label);
    button.append(content);
    return button;
  }

  fileName(i) {
    return `face z=(${[...this.pins[i]].map((latent) => latent.toFixed(2)).join(", ")}).png`;
  }

  /** The face as a PNG of a useful size, each pixel a crisp square, in a data URL. */
  png(i) {
    const face = document.createElement("canvas");
    drawMean(face, this.model, this.pins[i]);
    const scale = Math.max(1, Math.round(512 / Math.max(face.width, face.height)));
    const large = document.createElement("canvas");
    Object.assign(large, { width: face.width * scale, height: face.height * scale });
    const context = large.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(face, 0, 0, large.width, large.height);
    return large.toDataURL("image/png");
  }

  download(i) {
    const link = document.createElement("a");
    Object.assign(link, { href: this.png(i), download: this.fileName(i) });
    link.click();
  }
}

function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("class", "line");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

const still = matchMedia("(prefers-reduced-motion: reduce)");

class Motion {
  frame = 0;

  /** Call step(seconds) in every frame until it answers false. */
  run(step) {
    this.stop();
    let started;
    const tick = (now) => {
      started ??= now;
      this.frame = requestAnimationFrame(tick);
      if (!step((now - started) / 1000)) this.stop();
    };
    this.frame = requestAnimationFrame(tick);
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }
}

const ease = (t) => t * t * (3 - 2 * t);

/** A closed Catmull-Rom spline through the knots; one knot is passed in each unit of t. */
export function spline(knots, t) {
  const leg = Math.floor(t);
  const s = t - leg;
  const [p, q, r, u] = [-1, 0, 1, 2].map((i) => knots[(leg + i + knots.length) % knots.length]);
  return Float32Array.from(q, (_, k) => {
    const slope = r[k] - p[k];
    const square = 2 * p[k] - 5 * q[k] + 4 * r[k] - u[k];
    const cube = 3 * (q[k] - r[k]) + u[k] - p[k];
    return q[k] + (s * (slope + s * (square + s * cube))) / 2;
  });
}

/** Some knots for a walk from z through the data, or through the prior: each time the nearest. */
function knotsThrough(model, z) {
  const count = model.points.length / model.latents;
  const anywhere = () => placeIn(model, Math.floor(Math.random() * count));
  const places = Array.from({ length: WALK_LEGS }, anywhere);
  const knots = [Float32Array.from(z)];
  while (places.length) {
    const last = knots.at(-1);
    const distances = places.map((place) => Math.hypot(...place.map((x, k) => x - last[k])));
    knots.push(...places.splice(distances.indexOf(Math.min(...distances)), 1));
  }
  return knots;
}

/** Where what Python sends apart from the pad's own data lies: models and arrows, by channel. */
function theShelf() {
  globalThis.visageShelf ??= new EventTarget();
  globalThis.visageShelf.models ??= new Map();
  globalThis.visageShelf.arrows ??= new Map();
  return globalThis.visageShelf;
}

class Pad {
  z = new Float32Array(2);
  pins = [];
  trays = new Map();

  constructor(host, root) {
    this.host = host;
    this.root = root;
    this.box = root.querySelector(".visage");
    this.readout = root.querySelector(".readout");
    this.playButton = root.querySelector("[name=play]");
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.shown = remembered();
    this.face = new Face(root);
    this.plane = new Plane(root);
    this.show();
    this.sliders = new Sliders(root);
    this.motion = new Motion();
    this.tray = new Tray(root, {
      signal,
      onReturn: (z) => this.glide(z),
      onRemove: (i) => this.keep(this.pins.filter((_, other) => other !== i)),
    });
    this.listen(signal);
    this.resizing = new ResizeObserver(() => this.resize());
    this.resizing.observe(this.plane.pad);
    this.resizing.observe(this.face.frame);
  }

  /** Everything that outlives a function call ends here. */
  destroy() {
    this.ending.abort();
    this.resizing.disconnect();
    this.motion.stop();
    this.plane.stop();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.holding);
    clearTimeout(this.settling);
    clearTimeout(this.patience);
    delete this.host.visagePad;
  }

  // What Python sends

  update(data, send) {
    this.send = send;
    const first = !this.data;
    const moved = !first && data.z_version !== this.data.z_version;
    this.data = data;
    if (first) {
      const shelf = theShelf();
      shelf.addEventListener(data.channel, () => this.adopt(), this.ending);
      shelf.addEventListener(`${data.channel} arrows`, () => this.refresh(), this.ending);
      if (data.start) {
        this.z = Float32Array.from(data.start.z);
        this.trays.set(data.start.model, data.start.pins.map((z) => Float32Array.from(z)));
      }
    }
    if (data.problem) {
      this.say(data.problem);
      return;
    }
    this.adopt();
    if (!this.model) {
      this.patience ||= setTimeout(() => {
        this.say("The model's weights have not arrived in this browser: reload the page.");
      }, PATIENCE_MS);
      return;
    }
    if (moved) {
      this.trays.set(data.start.model, data.start.pins.map((z) => Float32Array.from(z)));
      this.pins = this.trays.get(this.model.model) ?? [];
      this.tray.draw(this.model, this.pins);
      this.plane.turn(data.start.axes);
      this.glide(Float32Array.from(data.start.z), false);
    }
    this.refresh();
  }

  /** Take the model that lies on the shelf, if it is a new one; z stays put. */
  adopt() {
    const held = theShelf().models.get(this.data.channel);
    if (!held || this.data.problem) return;
    clearTimeout(this.patience);
    this.box.dataset.state = "ready";
    if (held.model === this.model?.model && held.version === this.model.version) return;
    const model = unpack(held.buffer);
    this.pins = this.trays.get(model.model) ?? [];
    if (this.z.length !== model.latents) this.z = new Float32Array(model.latents);
    const met = this.model?.latents === model.latents;
    this.model = model;
    this.plane.adopt(model);
    if (!met && this.data.start?.z.length === model.latents) this.plane.turn(this.data.start.axes);
    this.face.adopt(model);
    this.tray.draw(model, this.pins);
    this.reach(this.z);
    this.refresh();
  }

  /** Let the plane and the sliders go as far as the model's data and these points do. */
  reach(...points) {
    this.plane.fit(...points);
    const { pad, extent } = this.plane;
    this.sliders.adopt(this.model, extent);
    pad.setAttribute("aria-valuemin", -extent);
    pad.setAttribute("aria-valuemax", extent);
  }

  say(problem) {
    this.stop();
    this.box.dataset.state = "problem";
    this.root.querySelector(".notice").textContent = problem;
  }

  // From z to the screen

  refresh() {
    if (!this.model) return;
    this.plane.resize();
    const colours = getComputedStyle(this.box).getPropertyValue("--st-chart-categorical-colors");
    const [cloud, point] = colours.split(/,(?![^(]*\))/);
    if (cloud) this.box.style.setProperty("--cloud", cloud);
    if (point) this.box.style.setProperty("--point", point);
    this.plane.annotate(this.arrows());
    this.plane.draw(this.z);
    this.draw();
  }

  /** The directions to draw: those that Python has sent for this model, if they are wanted. */
  arrows() {
    const held = theShelf().arrows.get(this.data.channel);
    if (!this.shown.arrows || held?.model !== this.model.model) return [];
    return held.arrows.filter(({ at }) => at.length === this.model.latents);
  }

  /** Show what the visitor wants to see, and have the controls say so. */
  show() {
    this.plane.shown = this.shown;
    this.box.classList.toggle("pixels", this.shown.grain === "pixels");
    for (const name of ["faces", "points", "arrows"]) {
      this.root.querySelector(`[name=${name}]`).checked = this.shown[name];
    }
    this.root.querySelector(`[name=grain][value=${this.shown.grain}]`).checked = true;
  }

  resize() {
    this.face.resize();
    if (this.plane.resize()) this.refresh();
  }

  move(z) {
    this.z = Float32Array.from(z);
    // The first move in a frame is drawn at once, later ones together at the frame's end.
    if (this.frame) {
      this.pending = true;
      return;
    }
    this.draw();
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.pending) this.draw();
    });
  }

  draw() {
    this.pending = false;
    if (!this.model) return;
    this.face.draw(this.z);
    this.plane.point(this.z);
    this.sliders.point(this.z, this.plane.extent);
    if (this.plane.outdated(this.z)) this.plane.startManifold(this.z);
    this.describe();
  }

  describe() {
    const { pad, axes } = this.plane;
    this.readout.textContent = `z = (${[...this.z].map(written).join(", ")})`;
    pad.setAttribute("aria-valuenow", this.z[axes[0]].toFixed(2));
    const latents = axes.map((k) => `${named(k)} ${written(this.z[k])}`);
    pad.setAttribute("aria-valuetext", latents.join(", "));
  }

  // From hands to z

  listen(signal) {
    const { pad, selects } = this.plane;
    const on = (target, type, act) => target.addEventListener(type, act, { signal });
    const drag = (event) => {
      const place = this.plane.locate(event);
      this.move(this.with(Object.fromEntries(this.plane.axes.map((k, i) => [k, place[i]]))));
    };
    const forget = () => {
      clearTimeout(this.holding);
      this.waiting = undefined;
    };
    const begin = (event) => {
      forget();
      this.stop();
      pad.setPointerCapture(event.pointerId);
      this.dragging = event.pointerId;
      drag(event);
    };
    const place = (event) => [event.clientX, event.clientY];
    const apart = ([x, y], [u, v]) => Math.hypot(x - u, y - v);
    on(pad, "pointerdown", (event) => {
      if (event.button || !this.model) return;
      const near = apart(place(event), this.plane.middle()) < NEAR_PX;
      if (event.pointerType !== "touch" || near) {
        begin(event);
        return;
      }
      // It may be a swipe that scrolls the page: only what comes next tells.
      this.waiting = { id: event.pointerId, from: place(event) };
      clearTimeout(this.holding);
      this.holding = setTimeout(() => begin(event), HOLD_MS);
    });
    on(pad, "pointermove", (event) => {
      if (this.dragging === event.pointerId) drag(event);
      if (this.waiting?.id !== event.pointerId) return;
      if (apart(place(event), this.waiting.from) < SLOP_PX) return;
      const [x, y] = place(event).map((coordinate, i) => coordinate - this.waiting.from[i]);
      if (Math.abs(x) > Math.abs(y)) begin(event);
      else forget();
    });
    for (const type of ["pointerup", "pointercancel"]) {
      on(pad, type, (event) => {
        if (this.waiting?.id === event.pointerId) {
          forget();
          if (type === "pointercancel") return;
          // A tap.
          begin(event);
        }
        if (this.dragging !== event.pointerId) return;
        this.dragging = undefined;
        this.settle();
      });
    }
    // A finger that holds the point is not scrolling, whichever way it moves.
    const hold = (event) => this.dragging !== undefined && event.preventDefault();
    pad.addEventListener("touchmove", hold, { signal, passive: false });
    on(pad, "keydown", (event) => {
      const [across, up] = this.plane.axes;
      const step = event.shiftKey ? LEAP : STEP;
      const moves = {
        ArrowLeft: [across, -step],
        ArrowRight: [across, step],
        ArrowDown: [up ?? across, -step],
        ArrowUp: [up ?? across, step],
      };
      this.press(event, moves[event.key]);
    });
    on(this.sliders.list, "keydown", (event) => {
      const step = event.shiftKey ? LEAP : STEP;
      const moves = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step };
      const latent = Number(event.target.dataset.latent);
      this.press(event, event.key in moves ? [latent, moves[event.key]] : undefined);
    });
    on(this.sliders.list, "input", ({ target }) => {
      this.stop();
      this.move(this.with({ [target.dataset.latent]: Number(target.value) }));
    });
    on(this.sliders.list, "change", () => this.settle());
    selects.forEach((select, axis) => {
      on(select, "change", () => {
        this.plane.choose(axis, Number(select.value));
        this.refresh();
        this.settle();
      });
    });
    on(this.root, "change", ({ target }) => {
      if (target.name in SHOWN_AT_FIRST) {
        const value = target.name === "grain" ? target.value : target.checked;
        this.shown = { ...this.shown, [target.name]: value };
        remember(this.shown);
        this.show();
        this.refresh();
        if (target.name === "arrows") this.settle();
      }
      if (target.name === "mode") {
        this.face.show(target.value);
        this.draw();
      }
    });
    on(this.face.noiseButton, "click", () => {
      this.face.redrawNoise();
      this.draw();
    });
    const act = {
      play: () => (this.playing ? this.pause() : this.play()),
      random: () => this.glide(this.with(Float32Array.from(this.z, normal))),
      origin: () => this.glide(this.z.map(() => 0)),
      pin: () => this.keep([...this.pins, Float32Array.from(this.z)]),
    };
    for (const button of this.root.querySelectorAll(".actions button")) {
      on(button, "click", () => this.model && act[button.name]());
    }
  }

  /** z with some latents replaced, each kept within the plane. */
  with(latents) {
    const z = Float32Array.from(this.z);
    const { extent } = this.plane;
    const kept = (value) => Math.min(extent, Math.max(-extent, value));
    for (const [k, value] of Object.entries(latents)) z[k] = kept(value);
    return z;
  }

  press(event, move) {
    if (!this.model || (!move && event.key !== "Home")) return;
    event.preventDefault();
    this.stop();
    this.move(move ? this.with({ [move[0]]: this.z[move[0]] + move[1] }) : this.z.map(() => 0));
    this.settling = setTimeout(() => this.settle(), SETTLE_MS);
  }

  // Moving by itself

  glide(target, tell = true) {
    this.stop();
    const from = Float32Array.from(this.z);
    this.reach(from, target);
    this.refresh();
    const arrive = () => {
      this.move(target);
      this.reach(target);
      this.refresh();
      if (tell) this.settle();
      return false;
    };
    if (still.matches) {
      arrive();
      return;
    }
    this.motion.run((seconds) => {
      const share = ease(Math.min(1, seconds / GLIDE_SECONDS));
      if (share === 1) return arrive();
      this.move(from.map((latent, k) => latent + share * (target[k] - latent)));
      return true;
    });
  }

  play() {
    this.stop();
    this.playing = true;
    this.playButton.setAttribute("aria-pressed", "true");
    const knots = knotsThrough(this.model, this.z);
    this.motion.run((seconds) => {
      const t = seconds / LEG_SECONDS;
      this.move(this.with(spline(knots, still.matches ? Math.floor(t) : t)));
      return true;
    });
  }

  pause() {
    this.stop();
    this.settle();
  }

  stop() {
    clearTimeout(this.settling);
    this.motion.stop();
    this.playing = false;
    this.playButton.setAttribute("aria-pressed", "false");
  }

  // What Python hears

  keep(pins) {
    this.pins = pins.slice(0, MOST_PINS);
    this.trays.set(this.model.model, this.pins);
    this.tray.draw(this.model, this.pins);
    this.settle();
  }

  /** Tell Python where z has come to rest, if it has not heard that already. */
  settle() {
    clearTimeout(this.settling);
    const rounded = (z) => Array.from(z, (latent) => Number(latent.toFixed(4)));
    const state = {
      z: rounded(this.z),
      pins: this.pins.map(rounded),
      model: this.model.model,
      axes: this.plane.axes,
      arrows: this.shown.arrows,
      z_version: this.data.z_version,
    };
    const text = JSON.stringify(state);
    if (text === this.told) return;
    this.told = text;
    this.send("settled", state);
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const host = parentElement.host ?? parentElement;
  host.visagePad ??= new Pad(host, parentElement);
  const pad = host.visagePad;
  pad.update(data, setStateValue);
  return () => pad.destroy();
}
