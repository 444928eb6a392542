import assert from "node:assert/strict";
import { test } from "node:test";

import { scaleFor } from "../../ui/browser/balance.js";
import { opened } from "../../ui/browser/packet.js";

function packed(parts) {
  const header = JSON.stringify({ id: "1", parts: parts.map(([name, bytes]) => [name, bytes.length]) });
  const text = new TextEncoder().encode(header);
  const all = [...new Uint8Array(Uint32Array.of(text.length).buffer), ...text];
  return Uint8Array.from([...all, ...parts.flatMap(([, bytes]) => bytes)]);
}

test("parts are what was put in, each in a buffer of its own", () => {
  const { id, parts } = opened(packed([["decoder", [1, 2, 3]], ["faces", [4]]]));
  assert.equal(id, "1");
  assert.deepEqual([...new Uint8Array(parts.decoder)], [1, 2, 3]);
  assert.deepEqual([...new Uint8Array(parts.faces)], [4]);
});

test("what is cut short is refused", () => {
  const bytes = packed([["decoder", [1, 2, 3]]]);
  assert.throws(() => opened(bytes.subarray(0, bytes.length - 1)), RangeError);
});

test("the scale holds both ends with room, and stays while they move a little", () => {
  for (const [low, high] of [[-5000, 1100], [1099.9, 1100], [1000, 1013]]) {
    const [from, to] = scaleFor(low, high);
    assert.ok(from < low && high < to);
  }
  const width = ([from, to]) => to - from;
  assert.equal(width(scaleFor(1000, 1013)), width(scaleFor(1001, 1013)));
});
