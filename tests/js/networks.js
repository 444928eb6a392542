/** Networks for tests: the same ones each time. */

/** @param {number[]} sizes  What goes in, the units of each hidden layer, what the head gives. */
export function random(sizes) {
  let state = 1;
  const next = () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  };
  return sizes.slice(1).map((width, depth) => ({
    weight: Float32Array.from({ length: width * sizes[depth] }, () => 1.5 * next()),
    bias: Float32Array.from({ length: width }, () => next()),
  }));
}
