/** The door by which a model's bytes come: it lays them on the shelf for the pad of a channel. */

import { readHeader } from "./packed.js";
import { theShelf } from "./shelf.js";

/** @param {{data: unknown}} component */
export default function ({ data }) {
  if (!(data instanceof Uint8Array)) return undefined;
  const { channel, model, version } = readHeader(data).header;
  const { models } = theShelf();
  const held = models.get(channel);
  const known = held?.model === model && held.version === version;
  const mine = known ? held : { model, version, buffer: data.slice().buffer };
  if (!known) {
    models.set(channel, mine);
    theShelf().dispatchEvent(new Event(channel));
  }
  return () => {
    if (models.get(channel) === mine) models.delete(channel);
  };
}
