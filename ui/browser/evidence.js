/**
 * The integral p(x) = ∫ p(x|z) p(z) dz over two latents, and the true posterior p(z|x) with it.
 *
 * A grid of the plane, decoded once, says where a face could have come from; from its summits
 * climbs lead to the peaks, and around these a lattice as fine as the largest peak is narrow is
 * added up, wherever there is anything to add. As the library does it (vae/latent/quadrature.py).
 */

/** @import { Joint } from "./joint.js" */

import { LOG_2_PI } from "./joint.js";

/** Points a side of the grid. */
export const SIDE = 65;

/** Points decoded between two breaths. */
const ROW = SIDE;

/** How many of its summits are climbed from, and steps of a climb. */
const SUMMITS = 8;
const CLIMB_STEPS = 40;

/** A climb that is so far below the best one after a few steps, in nats, is given up. */
const PATIENCE = 6;
const HOPELESS = 250;

/** What lies so far below the highest point, in nats, is left out: of a Gaussian 10⁻⁷. */
const LEFT_OUT = 16;

/** The lattice's spacing in standard deviations, and how far it reaches at first, in spacings. */
const SPACING = 0.75;
const FIRST_REACH = 6;

/** The stated error at which no finer lattice is made, in nats, and how many finer ones are. */
const ERROR = 0.02;
const HALVINGS = 2;

/** Points of a lattice: a posterior that needs more is not resolved. */
const MOST_POINTS = 12_000;

/**
 * @typedef {object} Lattice  z = origin + cell · (i, j), cell by columns.
 * @property {number[]} origin
 * @property {number[]} cell  [[a, c], [b, d]] as a, b, c, d: (a, b) is one step of i.
 * @property {Map<number, number>} values  log p(x, z) by the key of (i, j).
 */

/**
 * @typedef {object} Evidence
 * @property {number} logPx  In nats.
 * @property {number} error  By how much estimates on parts of the lattice differ.
 * @property {number[]} peak  Where p(z|x) is highest.
 * @property {number[]} curvature  Minus the Hessian of log p(x, z) there: xx, xy, yy.
 * @property {Lattice} lattice
 */

/** One whole number for a point of a lattice. */
const HALF = 1 << 15;

/** @param {number} i @param {number} j */
export const keyOf = (i, j) => (i + HALF) * 2 * HALF + (j + HALF);

/** @param {number} key @returns {[number, number]} */
const pairOf = (key) => [Math.floor(key / (2 * HALF)) - HALF, (key % (2 * HALF)) - HALF];

/** The decoder's Gaussians on a grid of the plane. */
export class Grid {
  /** Rows decoded so far. */
  rows = 0;

  /**
   * @param {Joint} joint
   * @param {number} extent  Its half-width.
   */
  constructor(joint, extent) {
    const count = SIDE * SIDE;
    this.joint = joint;
    this.extent = extent;
    this.z = new Float64Array(2 * count);
    for (let n = 0; n < count; n++) {
      this.z[2 * n] = this.coordinate(n % SIDE);
      this.z[2 * n + 1] = this.coordinate(Math.floor(n / SIDE));
    }
    this.mean = new Float32Array(count * joint.values);
    this.precision = new Float32Array(count * joint.values);
    /** Half the sum of log 2π σ² over the pixels. */
    this.normaliser = new Float64Array(count);
  }

  /** @param {number} place */
  coordinate(place) {
    return this.extent * ((2 * place) / (SIDE - 1) - 1);
  }

  get whole() {
    return this.rows === SIDE;
  }

  /** Decode the next row. */
  fill() {
    const { joint, rows } = this;
    const from = rows * ROW;
    const { mean, logVar } = joint.decode(this.z.subarray(2 * from, 2 * (from + ROW)));
    this.mean.set(mean, from * joint.values);
    for (let n = 0, at = 0; n < ROW; n++) {
      let sum = 0;
      for (let i = 0; i < joint.values; i++, at++) {
        sum += logVar[at];
        this.precision[from * joint.values + at] = Math.exp(-logVar[at]);
      }
      this.normaliser[from + n] = 0.5 * (sum + joint.values * LOG_2_PI);
    }
    this.rows++;
  }

  /**
   * log p(x, z) at all points.
   *
   * @param {ArrayLike<number>} x
   */
  logJoint(x) {
    const { values } = this.joint;
    const { mean, precision, normaliser, z } = this;
    const face = Float64Array.from(x);
    return normaliser.map((half, n) => {
      let sum = 0;
      const at = n * values;
      for (let i = 0; i < values; i++) {
        const residual = face[i] - mean[at + i];
        sum += residual * residual * precision[at + i];
      }
      const square = z[2 * n] ** 2 + z[2 * n + 1] ** 2;
      return -0.5 * (sum + square) - half - LOG_2_PI;
    });
  }
}

/**
 * The points of a grid that no neighbour exceeds, the highest first.
 *
 * @param {Float64Array} values  (SIDE × SIDE)
 */
export function summitsOf(values) {
  const found = [];
  for (let n = 0; n < values.length; n++) {
    const column = n % SIDE;
    const row = Math.floor(n / SIDE);
    let highest = true;
    for (let a = Math.max(0, row - 1); a <= Math.min(SIDE - 1, row + 1); a++) {
      for (let b = Math.max(0, column - 1); b <= Math.min(SIDE - 1, column + 1); b++) {
        if (values[a * SIDE + b] > values[n]) highest = false;
      }
    }
    if (highest) found.push(n);
  }
  return found.sort((a, b) => values[b] - values[a]).slice(0, SUMMITS);
}

/**
 * Integrate; between two yields lies about a millisecond or a few.
 *
 * @param {Grid} grid
 * @param {Float32Array} x
 * @param {number[][]} also  Where to climb from beside the grid's summits.
 * @returns {Generator<undefined, Evidence>}
 */
export function* integrate(grid, x, also = []) {
  while (!grid.whole) {
    grid.fill();
    yield;
  }
  const { joint } = grid;
  const summits = summitsOf(grid.logJoint(x));
  yield;
  const starts = [...also, ...summits.map((n) => [grid.z[2 * n], grid.z[2 * n + 1]])];
  const peaks = yield* peaksFrom(joint, x, starts, (2 * grid.extent) / (SIDE - 1));
  const best = peaks[0];
  yield;
  // Steps of three quarters of a deviation along the axes of the best peak's Hessian.
  const { values, vectors } = eigen(best.curvature);
  const narrowest = Math.max(1, ...peaks.map((peak) => sharper(peak.curvature, values, vectors)));
  const [p, q] = values.map((value) => SPACING / Math.sqrt(value * Math.min(narrowest, 64)));
  let cell = [vectors[0][0] * p, vectors[0][1] * p, vectors[1][0] * q, vectors[1][1] * q];
  let seeds = peaks.flatMap(({ z }) => around(placeOf(z, best.z, cell), FIRST_REACH));
  for (let halving = 0; ; halving++) {
    const lattice = { origin: best.z, cell, values: new Map() };
    yield* grow(joint, x, lattice, seeds);
    const { logPx, error } = addUp(lattice);
    const rough = error > ERROR && lattice.values.size < MOST_POINTS / 4;
    if (!rough || halving === HALVINGS) {
      return { logPx, error, peak: best.z, curvature: best.curvature, lattice };
    }
    const highest = Math.max(...lattice.values.values());
    seeds = [...lattice.values]
      .filter(([, value]) => value > highest - LEFT_OUT)
      .flatMap(([key]) => around(/** @type {[number, number]} */ (pairOf(key).map((i) => 2 * i)), 1.5));
    cell = cell.map((side) => side / 2);
  }
}

/**
 * @typedef {object} Peak
 * @property {number[]} z
 * @property {number} value
 * @property {number[]} curvature  xx, xy, yy
 */

/**
 * The peaks that climbs lead to, the highest first, each once, those that matter.
 *
 * @param {Joint} joint
 * @param {Float32Array} x
 * @param {number[][]} starts
 * @param {number} spacing  How far apart they lie.
 * @returns {Generator<undefined, Peak[]>}
 */
function* peaksFrom(joint, x, starts, spacing) {
  let climbers = starts.map((z) => new Climber(z, spacing / 2));
  for (let step = 0; step < CLIMB_STEPS; step++) {
    const moving = climbers.filter(({ done }) => !done);
    if (!moving.length) break;
    const at = Float64Array.from(moving.flatMap((climber) => climber.next));
    const slopes = new Float64Array(at.length);
    const values = joint.logJoint(x, at, slopes);
    moving.forEach((climber, i) => climber.take(values[i], [slopes[2 * i], slopes[2 * i + 1]]));
    const best = Math.max(...climbers.map(({ value }) => value));
    if (step >= PATIENCE) climbers = climbers.filter(({ value }) => value > best - HOPELESS);
    yield;
  }
  climbers.sort((a, b) => b.value - a.value);
  const best = climbers[0].value;
  /** @type {Peak[]} */
  const peaks = [];
  for (const { z, value } of climbers) {
    if (value < best - 2 * LEFT_OUT) break;
    if (peaks.some((peak) => same(peak, z))) continue;
    const curvature = curvatureAt(joint, x, z);
    yield;
    if (curvature[0] > 0 && curvature[0] * curvature[2] > curvature[1] ** 2) {
      peaks.push({ z, value, curvature });
    }
  }
  // On a ridge that goes on beyond all steps the prior's own curvature is the least there is.
  if (!peaks.length) peaks.push({ z: climbers[0].z, value: best, curvature: [1, 0, 1] });
  return peaks;
}

/**
 * Whether a point is so near to a peak that it has climbed the same one.
 *
 * @param {Peak} peak
 * @param {number[]} z
 */
function same({ z: [a, b], curvature: [xx, xy, yy] }, z) {
  const [u, v] = [z[0] - a, z[1] - b];
  return xx * u * u + 2 * xy * u * v + yy * v * v < 0.3;
}

/** A climb by the method of Broyden, Fletcher, Goldfarb and Shanno. */
class Climber {
  done = false;
  value = -Infinity;
  slope = [0, 0];

  /** @type {number[] | undefined}  The inverse of minus the Hessian: xx, xy, yy. */
  inverse;

  /**
   * @param {number[]} start
   * @param {number} reach  How long the first step is, and the longest.
   */
  constructor(start, reach) {
    this.z = start;
    this.next = start;
    this.reach = reach;
  }

  /**
   * What lies at `next`.
   *
   * @param {number} value
   * @param {number[]} slope
   */
  take(value, slope) {
    if (this.value === -Infinity) {
      Object.assign(this, { value, slope });
      return this.go(1);
    }
    const move = this.next.map((to, k) => to - this.z[k]);
    if (!(value >= this.value)) {
      // Too far: half of it.
      if (Math.hypot(...move) < 1e-7) this.done = true;
      this.next = this.z.map((from, k) => from + move[k] / 4);
      return undefined;
    }
    const bend = this.slope.map((before, k) => before - slope[k]);
    this.update(move, bend);
    const gain = value - this.value;
    Object.assign(this, { z: this.next, value, slope });
    const decrement = this.step().reduce((sum, s, k) => sum + s * slope[k], 0);
    if (gain < 1e-3 && decrement < 1e-3) this.done = true;
    return this.go(1);
  }

  /** @returns {number[]} */
  step() {
    const [a, b] = this.slope;
    if (!this.inverse) {
      const length = Math.hypot(a, b) || 1;
      return [(a / length) * this.reach * 0.2, (b / length) * this.reach * 0.2];
    }
    const [xx, xy, yy] = this.inverse;
    return [xx * a + xy * b, xy * a + yy * b];
  }

  /** @param {number} share */
  go(share) {
    const step = this.step();
    const shortened = share * Math.min(1, this.reach / Math.hypot(...step));
    this.next = this.z.map((from, k) => from + shortened * step[k]);
  }

  /**
   * @param {number[]} s  The step.
   * @param {number[]} y  By how much the slope fell along it.
   */
  update(s, y) {
    const sy = s[0] * y[0] + s[1] * y[1];
    if (sy <= 1e-12) return;
    if (!this.inverse) {
      const scale = sy / (y[0] * y[0] + y[1] * y[1]);
      this.inverse = [scale, 0, scale];
    }
    const [xx, xy, yy] = this.inverse;
    const hy = [xx * y[0] + xy * y[1], xy * y[0] + yy * y[1]];
    const f = (1 + (y[0] * hy[0] + y[1] * hy[1]) / sy) / sy;
    this.inverse = [
      xx + f * s[0] * s[0] - (2 * hy[0] * s[0]) / sy,
      xy + f * s[0] * s[1] - (hy[0] * s[1] + s[0] * hy[1]) / sy,
      yy + f * s[1] * s[1] - (2 * hy[1] * s[1]) / sy,
    ];
  }
}

/**
 * Minus the Hessian of log p(x, z), by differences of its slopes: xx, xy, yy.
 *
 * @param {Joint} joint
 * @param {Float32Array} x
 * @param {number[]} z
 */
function curvatureAt(joint, x, [a, b], h = 1e-4) {
  const slopes = new Float64Array(8);
  joint.logJoint(x, [a + h, b, a - h, b, a, b + h, a, b - h], slopes);
  const xx = (slopes[2] - slopes[0]) / (2 * h);
  const yy = (slopes[7] - slopes[5]) / (2 * h);
  const xy = (slopes[3] - slopes[1] + slopes[6] - slopes[4]) / (4 * h);
  return [xx, xy, yy];
}

/**
 * Eigenvalues and unit eigenvectors of a symmetric matrix of two rows.
 *
 * @param {number[]} matrix  xx, xy, yy
 */
export function eigen([xx, xy, yy]) {
  const angle = Math.atan2(2 * xy, xx - yy) / 2;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const one = c * c * xx + 2 * c * s * xy + s * s * yy;
  const other = s * s * xx - 2 * c * s * xy + c * c * yy;
  return { values: [one, other], vectors: [[c, s], [-s, c]] };
}

/**
 * How much larger a curvature is than one of these eigenvalues, at most, in that one's own units.
 *
 * @param {number[]} curvature
 * @param {number[]} values
 * @param {number[][]} vectors
 */
function sharper([xx, xy, yy], values, vectors) {
  const [u, v] = vectors.map((vector, k) => vector.map((part) => part / Math.sqrt(values[k])));
  /** @param {number[]} a @param {number[]} b */
  const form = (a, b) => a[0] * (xx * b[0] + xy * b[1]) + a[1] * (xy * b[0] + yy * b[1]);
  return Math.max(...eigen([form(u, u), form(u, v), form(v, v)]).values);
}

/**
 * The lattice's coordinates of a point.
 *
 * @param {number[]} z
 * @param {number[]} origin
 * @param {number[]} cell
 * @returns {[number, number]}
 */
export function coordinatesOf(z, origin, [a, b, c, d]) {
  const [u, v] = [z[0] - origin[0], z[1] - origin[1]];
  const determinant = a * d - b * c;
  return [(d * u - c * v) / determinant, (a * v - b * u) / determinant];
}

/** @param {number[]} z @param {number[]} origin @param {number[]} cell */
function placeOf(z, origin, cell) {
  return /** @type {[number, number]} */ (coordinatesOf(z, origin, cell).map(Math.round));
}

/**
 * The keys of the lattice's points within a radius of one.
 *
 * @param {[number, number]} place
 * @param {number} radius
 */
function around([i, j], radius) {
  const keys = [];
  const whole = Math.floor(radius);
  for (let a = -whole; a <= whole; a++) {
    for (let b = -whole; b <= whole; b++) {
      const inside = a * a + b * b <= radius * radius;
      const within = Math.abs(i + a) < HALF && Math.abs(j + b) < HALF;
      if (inside && within) keys.push(keyOf(i + a, j + b));
    }
  }
  return keys;
}

/**
 * Let a lattice grow from some points into whatever matters.
 *
 * @param {Joint} joint
 * @param {Float32Array} x
 * @param {Lattice} lattice
 * @param {number[]} seeds
 */
function* grow(joint, x, { origin, cell, values }, seeds) {
  const [a, b, c, d] = cell;
  let keys = [...new Set(seeds)];
  let highest = -Infinity;
  while (keys.length && values.size < MOST_POINTS) {
    const fresh = [];
    for (let start = 0; start < keys.length; start += 32) {
      const some = keys.slice(start, start + 32);
      const z = some.flatMap((key) => {
        const [i, j] = pairOf(key);
        return [origin[0] + a * i + c * j, origin[1] + b * i + d * j];
      });
      const found = joint.logJoint(x, z);
      some.forEach((key, n) => {
        values.set(key, found[n]);
        highest = Math.max(highest, found[n]);
      });
      fresh.push(...some);
      yield;
    }
    const edge = new Set();
    for (const key of fresh) {
      if (/** @type {number} */ (values.get(key)) < highest - LEFT_OUT) continue;
      for (const other of around(pairOf(key), 1.5)) if (!values.has(other)) edge.add(other);
    }
    keys = [...edge];
  }
}

/**
 * The sum over a lattice, and by how much the sums over its parts of twice the spacing differ.
 *
 * @param {Lattice} lattice
 */
function addUp({ cell: [a, b, c, d], values }) {
  const highest = Math.max(...values.values());
  const sums = [0, 0, 0, 0];
  for (const [key, value] of values) {
    const [i, j] = pairOf(key);
    sums[(i & 1) + 2 * (j & 1)] += Math.exp(value - highest);
  }
  const area = Math.log(Math.abs(a * d - b * c));
  const logPx = highest + Math.log(sums.reduce((sum, part) => sum + part)) + area;
  const parts = sums.map((sum) => highest + Math.log(4 * sum) + area);
  return { logPx, error: Math.max(...parts.map((part) => Math.abs(part - logPx))) };
}

/**
 * log p(z|x) at a point between the lattice's, by cubic interpolation; −∞ where there is nothing.
 *
 * @param {Evidence} evidence
 * @param {number[]} z
 */
export function logPosterior({ lattice, logPx }, z) {
  const [u, v] = coordinatesOf(z, lattice.origin, lattice.cell);
  const [i, j] = [Math.floor(u), Math.floor(v)];
  const across = weights(u - i);
  const up = weights(v - j);
  if (!lattice.values.has(keyOf(i, j)) && !lattice.values.has(keyOf(i + 1, j + 1))) return -Infinity;
  const floor = logPx - 40;
  let sum = 0;
  for (let a = 0; a < 4; a++) {
    for (let b = 0; b < 4; b++) {
      const value = lattice.values.get(keyOf(i + a - 1, j + b - 1)) ?? floor;
      sum += across[a] * up[b] * value;
    }
  }
  return sum - logPx;
}

/** Catmull and Rom's weights. @param {number} t */
function weights(t) {
  return [
    ((-t + 2) * t - 1) * t * 0.5,
    ((3 * t - 5) * t * t + 2) * 0.5,
    ((-3 * t + 4) * t + 1) * t * 0.5,
    (t - 1) * t * t * 0.5,
  ];
}

/**
 * Where the lattice's points matter: least and most z of those within some nats of the highest.
 *
 * @param {Evidence} evidence
 */
export function boundsOf({ lattice }, nats = 9) {
  const { origin, cell, values } = lattice;
  const highest = Math.max(...values.values());
  const box = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity };
  for (const [key, value] of values) {
    if (value < highest - nats) continue;
    const [i, j] = pairOf(key);
    const z = [origin[0] + cell[0] * i + cell[2] * j, origin[1] + cell[1] * i + cell[3] * j];
    box.left = Math.min(box.left, z[0]);
    box.right = Math.max(box.right, z[0]);
    box.bottom = Math.min(box.bottom, z[1]);
    box.top = Math.max(box.top, z[1]);
  }
  return box;
}
