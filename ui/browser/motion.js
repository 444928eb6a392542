/** Motion: z moves by itself, in a glide to a point or on a walk without end. */

const GLIDE_SECONDS = 0.5;
const LEG_SECONDS = 1.8;

/** @param {number} t  In [0, 1]; so is the answer. */
export const ease = (t) => t * t * (3 - 2 * t);

/**
 * A point between two others.
 *
 * @param {Float32Array} from
 * @param {Float32Array} to
 * @param {number} share  How much of the way.
 */
export const between = (from, to, share) =>
  from.map((latent, k) => latent + share * (to[k] - latent));

/**
 * A closed Catmull-Rom spline through the knots; one knot is passed in each unit of t.
 *
 * @param {Float32Array[]} knots
 * @param {number} t
 */
export function spline(knots, t) {
  const leg = Math.floor(t);
  const s = t - leg;
  const [p, q, r, u] = [-1, 0, 1, 2].map((i) => knots[(leg + i + knots.length) % knots.length]);
  return q.map((_, k) => {
    const slope = r[k] - p[k];
    const square = 2 * p[k] - 5 * q[k] + 4 * r[k] - u[k];
    const cube = 3 * (q[k] - r[k]) + u[k] - p[k];
    return q[k] + (s * (slope + s * (square + s * cube))) / 2;
  });
}

/**
 * A point and others in an order in which each is the nearest of those that are left.
 *
 * @param {Float32Array} z
 * @param {Float32Array[]} others
 */
export function nearestFirst(z, others) {
  const left = [...others];
  /** @type {Float32Array[]} */
  const knots = [Float32Array.from(z)];
  while (left.length) {
    const last = knots[knots.length - 1];
    const distances = left.map((other) => Math.hypot(...other.map((x, k) => x - last[k])));
    knots.push(...left.splice(distances.indexOf(Math.min(...distances)), 1));
  }
  return knots;
}

/** Whether the visitor's system asks for less motion: then z jumps. */
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export class Motion {
  frame = 0;

  /**
   * Call step(seconds) in every frame until it answers false.
   *
   * @param {(seconds: number) => boolean} step
   */
  run(step) {
    this.stop();
    /** @type {number | undefined} */
    let started;
    const tick = (/** @type {number} */ now) => {
      started ??= now;
      this.frame = requestAnimationFrame(tick);
      if (!step((now - started) / 1000)) this.stop();
    };
    this.frame = requestAnimationFrame(tick);
  }

  /**
   * Glide from one point to another.
   *
   * @param {Float32Array} from
   * @param {Float32Array} to
   * @param {(z: Float32Array) => void} move
   * @param {() => void} arrive
   */
  glide(from, to, move, arrive) {
    this.stop();
    if (still()) {
      arrive();
      return;
    }
    this.run((seconds) => {
      const share = ease(Math.min(1, seconds / GLIDE_SECONDS));
      if (share === 1) arrive();
      else move(between(from, to, share));
      return share < 1;
    });
  }

  /**
   * Walk through points, round and round.
   *
   * @param {Float32Array[]} knots
   * @param {(z: Float32Array) => void} move
   */
  walk(knots, move) {
    this.run((seconds) => {
      const t = seconds / LEG_SECONDS;
      move(spline(knots, still() ? Math.floor(t) : t));
      return true;
    });
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }
}
