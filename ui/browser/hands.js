/** Hands on the plane: a mouse, fingers and keys, told from a swipe that scrolls the page. */

/** A finger that rests so long on the plane, or lands so near the point, holds the point. */
const HOLD_MS = 180;
const NEAR_PX = 30;

/** How far a finger moves before it is neither resting nor tapping. */
const SLOP_PX = 8;

const STEP = 0.05;
const LEAP = 0.5;

/**
 * How far a key moves which latent.
 *
 * @param {{key: string, shiftKey: boolean}} event
 * @param {number} across
 * @param {number} up
 * @returns {[number, number] | undefined}  The latent and by how much, unless it moves none.
 */
export function stepOf({ key, shiftKey }, across, up = across) {
  const step = shiftKey ? LEAP : STEP;
  if (key === "ArrowLeft") return [across, -step];
  if (key === "ArrowRight") return [across, step];
  if (key === "ArrowDown") return [up, -step];
  if (key === "ArrowUp") return [up, step];
  return undefined;
}

/** @typedef {[number, number]} Place  In the window's pixels. */

/**
 * @param {Place} from
 * @param {Place} to
 */
const apart = ([x, y], [u, v]) => Math.hypot(x - u, y - v);

/**
 * @param {PointerEvent} event
 * @returns {Place}
 */
const placeOf = (event) => [event.clientX, event.clientY];

/** Drags of the point across the plane. */
export class Drags {
  /** @type {number | undefined}  The pointer that drags. */
  dragging;

  /** @type {{id: number, from: Place} | undefined}  A finger that may be about to. */
  waiting;

  /**
   * @param {HTMLElement} pad
   * @param {object} told
   * @param {AbortSignal} told.signal
   * @param {() => Place | undefined} told.point  Where the point is, if there is one to drag.
   * @param {() => void} told.onGrab
   * @param {(event: PointerEvent) => void} told.onDrag
   * @param {() => void} told.onDrop
   */
  constructor(pad, told) {
    this.pad = pad;
    this.told = told;
    const { signal } = told;
    pad.addEventListener("pointerdown", (event) => this.down(event), { signal });
    pad.addEventListener("pointermove", (event) => this.move(event), { signal });
    pad.addEventListener("pointerup", (event) => this.up(event, true), { signal });
    pad.addEventListener("pointercancel", (event) => this.up(event, false), { signal });
    // A finger that holds the point is not scrolling, whichever way it moves.
    const hold = (/** @type {Event} */ event) => {
      if (this.dragging !== undefined) event.preventDefault();
    };
    pad.addEventListener("touchmove", hold, { signal, passive: false });
    signal.addEventListener("abort", () => this.forget());
  }

  /** @param {PointerEvent} event */
  down(event) {
    const point = this.told.point();
    if (event.button || !point) return;
    const near = apart(placeOf(event), point) < NEAR_PX;
    if (event.pointerType !== "touch" || near) {
      this.begin(event);
      return;
    }
    // It may be a swipe that scrolls the page: only what comes next tells.
    this.forget();
    this.waiting = { id: event.pointerId, from: placeOf(event) };
    this.holding = setTimeout(() => this.begin(event), HOLD_MS);
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (this.dragging === event.pointerId) this.told.onDrag(event);
    if (this.waiting?.id !== event.pointerId) return;
    const { from } = this.waiting;
    const place = placeOf(event);
    if (apart(place, from) < SLOP_PX) return;
    if (Math.abs(place[0] - from[0]) > Math.abs(place[1] - from[1])) this.begin(event);
    else this.forget();
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} meant  Whether the finger was lifted, and not taken for a scroll.
   */
  up(event, meant) {
    if (this.waiting?.id === event.pointerId) {
      this.forget();
      if (!meant) return;
      // A tap.
      this.begin(event);
    }
    if (this.dragging !== event.pointerId) return;
    this.dragging = undefined;
    this.told.onDrop();
  }

  /** @param {PointerEvent} event */
  begin(event) {
    this.forget();
    this.told.onGrab();
    this.pad.setPointerCapture(event.pointerId);
    this.dragging = event.pointerId;
    this.told.onDrag(event);
  }

  forget() {
    clearTimeout(this.holding);
    this.waiting = undefined;
  }
}
