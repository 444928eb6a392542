/** Several buffers that travel as one: a JSON header that names them, and they behind it. */

/**
 * @param {Uint8Array} bytes
 * @returns {{id: string, parts: Record<string, ArrayBuffer>}}  What changes with any of them, and
 *   they by their names.
 */
export function opened(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  /** @type {{id: string, parts: [string, number][]}} */
  const { id, parts } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let offset = 4 + length;
  /** @type {Record<string, ArrayBuffer>} */
  const found = {};
  for (const [name, size] of parts) {
    if (offset + size > bytes.length) throw new RangeError(`${name} is cut short.`);
    found[name] = bytes.slice(offset, offset + size).buffer;
    offset += size;
  }
  return { id, parts: found };
}
