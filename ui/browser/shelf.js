/**
 * The shelf of a page: where what Python sends apart from a pad's own data lies, by channel.
 *
 * Each part that Python mounts is a script of its own, so that they meet at a name of the page.
 */

/** @import { Arrow } from "./overlay.js" */
/** @import { NamedAxis } from "./named_axes.js" */
/** @import { Answer, Question } from "./served.js" */
/** @import { Label } from "./tint.js" */

/** @typedef {{model: string, version: string, buffer: ArrayBuffer}} Packed */
/** @typedef {{channel: string, model: string, arrows: Arrow[]}} Directions */

/** @typedef {{channel: string, model: string, label: Label}} Labelled */

/** @typedef {{points: number[][], length: number}} Way  Latent points, and its length in the metric. */
/** @typedef {{straight: Way, geodesic: Way}} Journey */
/** @typedef {{journeys: Journey[]}} Later  What a lesson's last steps are told with. */

/** @typedef {Record<string, ArrayBuffer>} Recordings  Of runs, by their names. */

/** @typedef {{channel: string, model: string, axes: NamedAxis[]}} Named */

/**
 * @typedef {object} Frames  What a server that decodes has answered at last, and the way to it.
 * @property {string} channel
 * @property {string} model
 * @property {Answer} answer
 * @property {(question: Question) => void} ask
 */

class Shelf extends EventTarget {
  /** @type {Map<string, Packed>} */
  models = new Map();

  /** @type {Map<string, Directions>} */
  arrows = new Map();

  /** @type {Map<string, Labelled>} */
  labels = new Map();

  /** @type {Map<string, Named>} */
  axes = new Map();

  /** @type {Map<string, Frames>} */
  frames = new Map();

  /** @type {Later | undefined} */
  lesson;

  /** @type {Recordings | undefined} */
  recordings;
}

/** @returns {Shelf} */
export function theShelf() {
  const page = /** @type {{visageShelf?: Shelf}} */ (globalThis);
  page.visageShelf ??= new Shelf();
  return page.visageShelf;
}

/**
 * Lay what Python has sent for the pad of a channel on the shelf, and tell the pad.
 *
 * @param {"arrows" | "axes" | "frames" | "labels"} board  Where it lies.
 * @param {{channel: string}} data
 * @returns {() => void}  Takes it away again.
 */
export function lay(board, data) {
  const shelf = theShelf();
  const held = /** @type {Map<string, unknown>} */ (shelf[board]);
  held.set(data.channel, data);
  shelf.dispatchEvent(new Event(`${data.channel} ${board}`));
  return () => {
    if (held.get(data.channel) !== data) return;
    held.delete(data.channel);
    shelf.dispatchEvent(new Event(`${data.channel} ${board}`));
  };
}
