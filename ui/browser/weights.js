/** Lays a model's bytes on a shelf that the pads of this page look at. */

export default function ({ data }) {
  if (!(data instanceof Uint8Array)) return undefined;
  globalThis.visageShelf ??= new EventTarget();
  const shelf = globalThis.visageShelf;
  shelf.models ??= new Map();
  const length = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(data.subarray(4, 4 + length));
  const { channel, model, version } = JSON.parse(text);

  const held = shelf.models.get(channel);
  const known = held?.model === model && held.version === version;
  const mine = known ? held : { model, version, buffer: data.slice().buffer };
  if (!known) {
    shelf.models.set(channel, mine);
    shelf.dispatchEvent(new Event(channel));
  }
  return () => {
    if (shelf.models.get(channel) === mine) shelf.models.delete(channel);
  };
}
