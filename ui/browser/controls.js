/** The controls: what each of them asks of the pad. */

/** @import { Pad } from "./pad.js" */

import { chosen, remember } from "./choices.js";
import { Drags, stepOf } from "./hands.js";
import { normal } from "./noise.js";
import { sliderOf } from "./sliders.js";

/**
 * Have the pad do what hands ask for.
 *
 * @param {Pad} pad
 * @param {AbortSignal} signal  When it ends.
 */
export function listen(pad, signal) {
  const { root, instrument } = pad;
  const { face, named, plane, sliders } = instrument;

  new Drags(plane.pad, {
    signal,
    point: () => pad.model && plane.middle(),
    onGrab: () => pad.stop(),
    onDrag: (event) => pad.move(pad.with(plane.locate(event))),
    onDrop: () => pad.settle(),
  });
  const hovered = (/** @type {PointerEvent} */ event) => instrument.hover(event);
  for (const name of /** @type {const} */ (["pointermove", "pointerdown", "pointerleave"])) {
    plane.pad.addEventListener(name, hovered, { signal });
  }
  const planeKey = (/** @type {KeyboardEvent} */ event) => {
    pad.press(event, stepOf(event, plane.axes[0], plane.axes[1]));
  };
  plane.pad.addEventListener("keydown", planeKey, { signal });

  const sliderKey = (/** @type {KeyboardEvent} */ event) => {
    const slider = sliderOf(event);
    if (slider) pad.press(event, stepOf(event, slider.latent));
  };
  const slid = (/** @type {Event} */ event) => {
    const slider = sliderOf(event);
    if (!slider) return;
    pad.stop();
    pad.move(pad.with([[slider.latent, slider.value]]));
  };
  sliders.list.addEventListener("keydown", sliderKey, { signal });
  sliders.list.addEventListener("input", slid, { signal });
  sliders.list.addEventListener("change", () => pad.settle(), { signal });

  const turnedAxis = (/** @type {Event} */ event) => {
    const wanted = named.moved(event, pad.z);
    if (!wanted) return;
    pad.stop();
    pad.move(pad.with([...wanted].map((latent, k) => [k, latent])));
  };
  named.list.addEventListener("input", turnedAxis, { signal });
  named.list.addEventListener("change", () => pad.settle(), { signal });

  plane.selects.forEach((select, axis) => {
    const turned = () => {
      plane.choose(axis, Number(select.value));
      instrument.reach(pad.z);
      instrument.refresh();
      pad.settle();
    };
    select.addEventListener("change", turned, { signal });
  });

  const switched = (/** @type {Event} */ { target }) => {
    if (!(target instanceof HTMLInputElement)) return;
    const choices = chosen(instrument.shown, target);
    if (choices) {
      remember(choices);
      instrument.show(choices);
      instrument.refresh();
      if (target.name === "arrows") pad.settle();
    }
    if (target.name === "mode") {
      face.show(target.value);
      if (target.value !== "mean") pad.layDown();
      instrument.draw(pad.z);
    }
  };
  root.addEventListener("change", switched, { signal });
  const renoised = () => {
    face.redrawNoise();
    instrument.draw(pad.z);
  };
  face.noiseButton.addEventListener("click", renoised, { signal });

  /** @type {Record<string, () => void>} */
  const actions = {
    play: () => (pad.playing ? pad.pause() : pad.play()),
    random: () => pad.glide(pad.with([...pad.z].map((_, k) => [k, normal()]))),
    origin: () => pad.glide(pad.z.map(() => 0)),
    pin: () => pad.keep([...pad.pins, Float32Array.from(pad.z)]),
  };
  for (const button of root.querySelectorAll("button")) {
    const act = actions[button.name];
    if (act) button.addEventListener("click", () => pad.model && act(), { signal });
  }
}
