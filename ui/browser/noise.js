/** The noise that a decoder expects around its mean: which likelihood it has, and samples of it. */

/** A sample of the standard normal distribution. */
export const normal = () =>
  Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** Where the neighbours of a pixel lie that come before it: rows and columns from it. */
const NEIGHBOURS = [
  [0, -1],
  [0, -2],
  ...[-2, -1, 0, 1, 2].map((column) => [-1, column]),
  ...[-2, -1, 0, 1, 2].map((column) => [-2, column]),
];

/** The largest grey level of a discretised likelihood. */
const WHITE = 255;

/** Student's t with a variance of 1: Bailey's polar method. @param {number} freedom */
function student(freedom) {
  const radius = Math.sqrt(freedom * Math.expm1((-2 / freedom) * Math.log(1 - Math.random())));
  const t = radius * Math.cos(2 * Math.PI * Math.random());
  return t * Math.sqrt((freedom - 2) / freedom);
}

/** A logistic with a variance of 1. */
function logistic() {
  const uniform = Math.min(Math.max(Math.random(), 1e-12), 1 - 1e-12);
  return (Math.log(uniform / (1 - uniform)) * Math.sqrt(3)) / Math.PI;
}

export class Noise {
  /** @type {Float32Array | undefined}  Each pixel's share in another's variance, row by row. */
  shares;

  /**
   * @param {string} likelihood  Its name, as Python calls it.
   * @param {number[]} shape  An image's height and width, and 3 if it has colours.
   * @param {number} freedom  The degrees of freedom of Student's t.
   * @param {Float32Array} weights  What each neighbour tells of a pixel, 12 × D, or nothing.
   */
  constructor(likelihood, shape, freedom = 0, weights = new Float32Array()) {
    this.likelihood = likelihood;
    this.freedom = freedom;
    this.weights = weights;
    const [height, width, channels = 1] = shape;
    this.width = width;
    this.channels = channels;
    this.count = height * width * channels;
  }

  /** Noise for one image: independent values of mean 0 and variance 1. */
  draw() {
    const { likelihood, freedom } = this;
    const one = () => {
      if (likelihood === "student") return student(freedom);
      return likelihood === "logistic" ? logistic() : normal();
    };
    return Float32Array.from({ length: this.count }, one);
  }

  /**
   * Turn the mean into a sample, in its place.
   *
   * @param {Float32Array} mean
   * @param {Float32Array} deviation  What the decoder gives for each pixel.
   * @param {Float32Array} noise  Of `draw`.
   */
  addTo(mean, deviation, noise) {
    const residual = new Float32Array(this.count);
    for (let i = 0; i < mean.length; i++) {
      residual[i] = deviation[i] * noise[i];
      // Those before it have got theirs already.
      if (this.weights.length) {
        this.eachNeighbour(i, (j, weight) => {
          residual[i] += weight * residual[j];
        });
      }
      mean[i] += residual[i];
      if (this.likelihood === "logistic") {
        mean[i] = Math.min(Math.max(Math.round(WHITE * mean[i]), 0), WHITE) / WHITE;
      }
    }
    return mean;
  }

  /**
   * The standard deviation of each pixel, all its neighbours considered.
   *
   * @param {Float32Array} deviation  What the decoder gives for each pixel.
   */
  spread(deviation) {
    if (!this.weights.length) return deviation;
    this.shares ??= this.allShares();
    const { shares, channels } = this;
    const spread = new Float32Array(this.count);
    let at = 0;
    for (let i = 0; i < this.count; i++) {
      let variance = 0;
      for (let j = i % channels; j <= i; j += channels) variance += shares[at++] * deviation[j] ** 2;
      spread[i] = Math.sqrt(variance);
    }
    return spread;
  }

  /**
   * How far noise of 1 in one pixel carries to those after it, squared: for each pixel, what each
   * of its channel gives up to itself.
   */
  allShares() {
    const { count, channels } = this;
    const pixels = count / channels;
    const shares = new Float32Array((channels * pixels * (pixels + 1)) / 2);
    // Row i begins where those of all pixels before it end.
    const start = (/** @type {number} */ i) => {
      const row = Math.floor(i / channels);
      return (channels * row * (row + 1)) / 2 + (i % channels) * (row + 1);
    };
    for (let i = 0; i < count; i++) {
      const row = start(i);
      this.eachNeighbour(i, (j, weight) => {
        const other = start(j);
        const length = Math.floor(j / channels) + 1;
        for (let k = 0; k < length; k++) shares[row + k] += weight * shares[other + k];
      });
      shares[row + Math.floor(i / channels)] = 1;
    }
    for (let k = 0; k < shares.length; k++) shares[k] **= 2;
    return shares;
  }

  /**
   * Visit the neighbours of a value that come before it, those of its own channel.
   *
   * @param {number} i
   * @param {(j: number, weight: number) => void} visit
   */
  eachNeighbour(i, visit) {
    const { width, channels, count, weights } = this;
    const pixel = Math.floor(i / channels);
    const row = Math.floor(pixel / width);
    const column = pixel % width;
    for (let place = 0; place < NEIGHBOURS.length; place++) {
      const above = row + NEIGHBOURS[place][0];
      const beside = column + NEIGHBOURS[place][1];
      if (above < 0 || beside < 0 || beside >= width) continue;
      visit((above * width + beside) * channels + (i % channels), weights[place * count + i]);
    }
  }
}
