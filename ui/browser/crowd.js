/** The crowd: how far a point is from the faces that a model knows, as a prior of their density. */

/** @import { Model } from "./model.js" */
/** @import { Leaning } from "./nearest.js" */

/** More faces than this tell no more of where they are. */
const MOST_FACES = 1600;

/** Of so many it is looked up how far the next one is. */
const ASKED = 48;

/** How wide each is, in shares of how far the next one is in the middle, and at least. */
const WIDTH = 0.5;
const LEAST_WIDTH = 0.3;

/** What the density weighs, beside a distance of 1 from where one was. */
const WEIGHT = 4;

/**
 * A prior with the density of a model's posterior means, each the middle of a Gaussian: where no
 * face was, the model has learnt nothing. A model that carries none has its own, the normal one.
 *
 * @param {Model} model
 * @returns {(z: Float32Array) => Leaning}
 */
export function crowdOf({ points, latents }) {
  const rows = points.length / latents;
  const every = Math.max(1, rows / MOST_FACES);
  const faces = Array.from({ length: Math.floor(rows / every) }, (_, i) => {
    const row = Math.floor(i * every);
    return points.subarray(row * latents, (row + 1) * latents);
  });
  if (!faces.length) faces.push(new Float32Array(latents));
  const width = rows ? widthOf(faces) : 1;
  const stiffness = WEIGHT / width ** 2;
  const squares = new Float64Array(faces.length);
  return (z) => {
    let least = Infinity;
    faces.forEach((face, i) => (least = Math.min(least, (squares[i] = squareOf(face, z)))));
    let weight = 0;
    const middle = new Float64Array(latents);
    faces.forEach((face, i) => {
      const share = Math.exp((least - squares[i]) / (2 * width ** 2));
      if (share < 1e-6) return;
      weight += share;
      for (let k = 0; k < latents; k++) middle[k] += share * face[k];
    });
    return {
      energy: stiffness * least - 2 * WEIGHT * Math.log(weight),
      slope: middle.map((sum, k) => stiffness * (sum / weight - z[k])),
      stiffness,
    };
  };
}

/**
 * @param {Float32Array} a
 * @param {Float32Array} b
 */
function squareOf(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] - b[k]) ** 2;
  return sum;
}

/** @param {Float32Array[]} faces */
function widthOf(faces) {
  const every = Math.max(1, faces.length / ASKED);
  const away = Array.from({ length: Math.min(ASKED, faces.length) }, (_, i) => {
    const one = faces[Math.floor(i * every)];
    return faces.reduce(
      (least, other) => (other === one ? least : Math.min(least, squareOf(one, other))),
      Infinity,
    );
  }).sort((a, b) => a - b);
  const middle = Math.sqrt(away[away.length >> 1]);
  return Math.max(LEAST_WIDTH, Number.isFinite(middle) ? WIDTH * middle : 1);
}
