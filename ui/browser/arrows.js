/** Lays directions on the shelf that the pads of this page look at. */

export default function ({ data }) {
  globalThis.visageShelf ??= new EventTarget();
  const shelf = globalThis.visageShelf;
  shelf.arrows ??= new Map();
  shelf.arrows.set(data.channel, data);
  shelf.dispatchEvent(new Event(`${data.channel} arrows`));
  return () => {
    if (shelf.arrows.get(data.channel) === data) shelf.arrows.delete(data.channel);
  };
}
