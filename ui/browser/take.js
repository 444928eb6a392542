/** A pad takes a model as it travels, or says that it is none. */

/** @import { Pad } from "./pad.js" */

import { unpack } from "./model.js";

/**
 * @param {Pad} pad
 * @param {ArrayBuffer} buffer  A model as Python packs it.
 */
export function take(pad, buffer) {
  try {
    pad.adopt(unpack(buffer));
    pad.instrument.ready();
  } catch (error) {
    pad.say("The model in this page is damaged: get the page again.");
    console.error(error);
  }
}
