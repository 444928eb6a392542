/** Bytes that travel as text in a document. */

import { find } from "./dom.js";

/**
 * The bytes that Python squeezed: the four bytes of each number lie apart, compressed, in base 64.
 *
 * @param {string} text
 * @param {number} length  How many bytes there are.
 * @returns {Promise<ArrayBuffer>}
 */
async function unsqueezed(text, length) {
  const held = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([held]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = planes.length / 4;
  const bytes = new Uint8Array(planes.length);
  for (let i = 0; i < count; i++) {
    bytes[4 * i] = planes[i];
    bytes[4 * i + 1] = planes[count + i];
    bytes[4 * i + 2] = planes[2 * count + i];
    bytes[4 * i + 3] = planes[3 * count + i];
  }
  return bytes.buffer.slice(0, length);
}

/**
 * Bytes that a page carries.
 *
 * @param {ParentNode} root  What holds them.
 * @param {string} part  `decoder` or `encoder` of a model, or a recording's name.
 */
export async function carried(root, part) {
  const held = find(root, `[data-part=${part}]`, HTMLScriptElement);
  return unsqueezed(held.text, Number(held.dataset.bytes));
}
