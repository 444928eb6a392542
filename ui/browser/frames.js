/**
 * The door by which the server's faces come, and questions go to it: it lays both on the shelf for
 * the pad of a channel.
 */

/** @import { Frames } from "./shelf.js" */

import { lay } from "./shelf.js";

/**
 * @param {object} component
 * @param {unknown} component.data  A header, and the faces' bytes behind it.
 * @param {(name: string, value: object) => void} component.setStateValue
 */
export default function ({ data, setStateValue }) {
  if (!(data instanceof Uint8Array)) return undefined;
  const length = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + length)));
  const { channel, model, serial, count, problem } = header;
  const pixels = data.slice(4 + length);
  const size = count ? pixels.length / count : 0;
  const frames = Array.from({ length: count }, (_, i) => pixels.subarray(i * size, (i + 1) * size));
  /** @type {Frames} */
  const held = {
    channel,
    model,
    answer: { serial, frames, problem },
    ask: (question) => setStateValue("asked", { ...question, model }),
  };
  return lay("frames", held);
}
