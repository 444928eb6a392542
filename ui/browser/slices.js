/** Long work in short slices, so that the page answers between them. */

const SLICE_MS = 9;

/** Come back after whatever waits: sooner than a timer would. */
const breath = () =>
  new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done(undefined);
    };
    port2.postMessage(0);
  });

/**
 * Run a generator to its end.
 *
 * @template T
 * @param {Generator<unknown, T>} work
 * @param {() => boolean} wanted  Whether its result still is.
 * @returns {Promise<T | undefined>}  Nothing if it was given up.
 */
export async function inSlices(work, wanted = () => true) {
  for (;;) {
    const end = performance.now() + SLICE_MS;
    while (performance.now() < end) {
      const { done, value } = work.next();
      if (done) return value;
    }
    await breath();
    if (!wanted()) return undefined;
  }
}
