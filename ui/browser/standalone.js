/** The door of a page of its own: the pad without a server, from a packed model. */

import { find } from "./dom.js";
import { unpack } from "./model.js";
import { Pad } from "./pad.js";

/**
 * Mount the pad.
 *
 * @param {ParentNode} root  What holds the elements of `pad.html`.
 * @param {ArrayBuffer} buffer  A model as Python packs it.
 */
export function openPad(root, buffer) {
  const pad = new Pad(root, { arrows: () => [], onSettle: () => {} });
  // Directions are found by a server.
  const arrows = find(root, "[name=arrows]", HTMLInputElement).closest("label");
  if (arrows) arrows.hidden = true;
  try {
    pad.adopt(unpack(buffer));
    pad.instrument.ready();
  } catch (error) {
    pad.say("The model in this page is damaged: get the page again.");
    console.error(error);
  }
  return pad;
}
