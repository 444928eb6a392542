/** The door of a page of its own: the pad without a server, from a packed model. */

/** @import { State } from "./pad.js" */

import { find } from "./dom.js";
import { Pad } from "./pad.js";
import { take } from "./take.js";

/**
 * Mount the pad.
 *
 * @param {ParentNode} root  What holds the elements of `pad.html`.
 * @param {ArrayBuffer} buffer  A model as Python packs it.
 * @param {(state: State) => void} onSettle  z has come to rest.
 */
export function openPad(root, buffer, onSettle = () => {}) {
  const pad = new Pad(root, { arrows: () => [], label: () => undefined, onSettle });
  // Directions are found by a server.
  const arrows = find(root, "[name=arrows]", HTMLInputElement).closest("label");
  if (arrows) arrows.hidden = true;
  take(pad, buffer);
  return pad;
}
