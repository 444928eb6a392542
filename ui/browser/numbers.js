/**
 * A network's numbers, all in one array, and what is computed with them.
 *
 * In plain JavaScript here; kernel.js does the same in WebAssembly, several times as fast, and
 * holds them in its own memory. Whoever computes says where things begin, counted in numbers.
 */

/**
 * (outer + slope x) / (1 + exp(-inner x)) + shift: what the kernel has one formula for.
 *
 * @type {Record<string, {inner: number, outer: number, slope: number, shift: number}>}
 */
export const LOGISTICS = {
  sigmoid: { inner: 1, outer: 1, slope: 0, shift: 0 },
  tanh: { inner: 2, outer: 2, slope: 0, shift: -1 },
  silu: { inner: 1, outer: 0, slope: 1, shift: 0 },
};

/** The same in JavaScript. @type {Record<string, (x: number) => number>} */
const PLAIN = {
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  silu: (x) => x / (1 + Math.exp(-x)),
};

/** @param {number} count */
export const inFours = (count) => 4 * Math.ceil(count / 4);

export class Numbers {
  /** How many places are taken. */
  taken = 0;

  values = new Float32Array();

  /** The same bytes, as whole numbers. */
  wholes = new Int32Array();

  /**
   * Take places for some numbers, which are 0, in whole fours.
   *
   * What was seen of `values` before is no more theirs: who keeps a view asks for it when all that
   * a network needs is taken.
   *
   * @param {number} count
   * @returns {number}  The first place.
   */
  take(count) {
    const first = this.taken;
    this.taken += inFours(count);
    if (this.taken > this.values.length) this.grow(this.taken);
    return first;
  }

  /** @param {number} count  What is to be held at least. */
  grow(count) {
    const before = this.values;
    this.values = new Float32Array(Math.max(count, Math.floor(1.5 * before.length)));
    this.values.set(before);
    this.wholes = new Int32Array(this.values.buffer);
  }

  /**
   * @param {number} first
   * @param {number} count
   */
  view(first, count) {
    return this.values.subarray(first, first + count);
  }

  /**
   * y = weight x + bias, where the rows of the weight lie four together.
   *
   * @param {number} weight
   * @param {number} bias
   * @param {number} x
   * @param {number} width  In whole fours.
   * @param {number} y
   * @param {number} rows  In whole fours.
   */
  affine(weight, bias, x, width, y, rows) {
    const { values } = this;
    let w = weight;
    for (let row = 0; row < rows; row += 4) {
      // Four sums at once: one alone waits on each addition before it can start the next.
      let a = values[bias + row];
      let b = values[bias + row + 1];
      let c = values[bias + row + 2];
      let d = values[bias + row + 3];
      for (let j = 0; j < width; j++) {
        const value = values[x + j];
        a += values[w] * value;
        b += values[w + 1] * value;
        c += values[w + 2] * value;
        d += values[w + 3] * value;
        w += 4;
      }
      values[y + row] = a;
      values[y + row + 1] = b;
      values[y + row + 2] = c;
      values[y + row + 3] = d;
    }
  }

  /**
   * target[m, n] = bias[m] + Σₖ weight[m, k] · source[places[k] + n], for groups of four m.
   *
   * @param {number} weight  Rows four together.
   * @param {number} bias
   * @param {number} groups
   * @param {number} places  Whole numbers: how far from the source's first each row begins, in
   *     bytes.
   * @param {number} depth  How many there are.
   * @param {number} source
   * @param {number} target  Row by row.
   * @param {number} columns  In whole eights.
   */
  product(weight, bias, groups, places, depth, source, target, columns) {
    const { values, wholes } = this;
    for (let group = 0; group < groups; group++) {
      const first = weight + 4 * group * depth;
      const own = bias + 4 * group;
      const row = target + 4 * group * columns;
      // Two columns at once: a weight that was read serves both.
      for (let n = 0; n < columns; n += 2) {
        let a0 = values[own];
        let a1 = values[own + 1];
        let a2 = values[own + 2];
        let a3 = values[own + 3];
        let b0 = a0;
        let b1 = a1;
        let b2 = a2;
        let b3 = a3;
        let w = first;
        for (let k = 0; k < depth; k++) {
          const at = source + n + (wholes[places + k] >> 2);
          const left = values[at];
          const right = values[at + 1];
          const w0 = values[w];
          const w1 = values[w + 1];
          const w2 = values[w + 2];
          const w3 = values[w + 3];
          a0 += w0 * left;
          a1 += w1 * left;
          a2 += w2 * left;
          a3 += w3 * left;
          b0 += w0 * right;
          b1 += w1 * right;
          b2 += w2 * right;
          b3 += w3 * right;
          w += 4;
        }
        const at = row + n;
        values[at] = a0;
        values[at + 1] = b0;
        values[at + columns] = a1;
        values[at + columns + 1] = b1;
        values[at + 2 * columns] = a2;
        values[at + 2 * columns + 1] = b2;
        values[at + 3 * columns] = a3;
        values[at + 3 * columns + 1] = b3;
      }
    }
  }

  /**
   * What may follow a layer, in place.
   *
   * @param {string} name  `sigmoid`, `tanh`, `silu` or `relu`.
   * @param {number} first
   * @param {number} count
   */
  curve(name, first, count) {
    const { values } = this;
    const end = first + count;
    if (name === "relu") {
      for (let i = first; i < end; i++) values[i] = Math.max(values[i], 0);
    } else {
      this.logistic(name, first, end);
    }
  }

  /**
   * @param {string} name
   * @param {number} first
   * @param {number} end
   */
  logistic(name, first, end) {
    const { values } = this;
    const curve = PLAIN[name];
    for (let i = first; i < end; i++) values[i] = curve(values[i]);
  }
}
