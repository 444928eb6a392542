/** The camera: what it sees goes through the encoder, frame by frame, in the visitor's browser. */

/** @import { AnyEncoder } from "./encoder.js" */
/** @import { Frame } from "./framing.js" */
/** @import { Pad } from "./pad.js" */

import { contextOf, find } from "./dom.js";
import { framedPixels } from "./downsample.js";
import { colour, drawMean } from "./paint.js";
import { written } from "./words.js";

/** What of a camera's picture the frame takes, in shares of the width at which it fits. */
const AIM = 0.75;

export class Camera {
  /** @type {AnyEncoder | undefined} */
  encoder;

  /** @type {Pad | undefined} */
  pad;

  /** @type {MediaStream | undefined} */
  stream;

  frame = 0;

  /**
   * @param {ParentNode} root  What holds the camera's button, its picture and what is made of it.
   * @param {() => void} onLook  It begins to look.
   */
  constructor(root, onLook = () => {}) {
    this.onLook = onLook;
    this.board = find(root, ".own-board", HTMLElement);
    this.button = find(root, "[name=camera]", HTMLButtonElement);
    this.video = find(root, "video", HTMLVideoElement);
    this.looking = find(root, ".looking", HTMLElement);
    this.aim = find(root, ".aim", HTMLCanvasElement);
    this.word = find(root, ".own-word", HTMLElement);
    this.seen = find(root, ".seen", HTMLCanvasElement);
    this.made = find(root, ".made", HTMLCanvasElement);
    this.place = find(root, ".own-place", HTMLElement);
    this.button.addEventListener("click", () => (this.stream ? this.freeze() : this.look()));
    this.button.hidden = !navigator.mediaDevices;
  }

  /**
   * @param {Pad} pad
   * @param {AnyEncoder | undefined} encoder  Of the model that is shown, if it travelled.
   */
  adopt(pad, encoder) {
    this.freeze();
    this.pad = pad;
    this.encoder = encoder;
  }

  /**
   * Encode what a frame encloses, and go there.
   *
   * @param {ImageData} photo
   * @param {Frame} frame
   * @param {boolean} settled  Whether it stays, as a camera's picture does not.
   */
  judge(photo, frame, settled) {
    const { pad, encoder } = this;
    if (!pad?.model || !encoder) return;
    const pixels = framedPixels(photo, frame, encoder.shape);
    const { mean, deviation } = encoder.encode(pixels);
    if (!mean.every(Number.isFinite)) return;
    const [height, width, channels = 1] = encoder.shape;
    const image = new ImageData(width, height);
    colour(Float32Array.from(pixels, (byte) => byte / 255), channels, image.data);
    Object.assign(this.seen, { width, height });
    contextOf(this.seen).putImageData(image, 0, 0);
    drawMean(this.made, pad.model, mean);
    const some = [...mean].slice(0, 4).map((z, k) => `${written(z)} ± ${deviation[k].toFixed(2)}`);
    this.place.textContent = `z = (${some.join(", ")}${mean.length > 4 ? ", …" : ""})`;
    if (settled) pad.glide(mean);
    else pad.move(pad.with([...mean].map((z, k) => [k, z])));
    pad.instrument.plane.spread(deviation);
  }

  /** Look through the camera, until it is frozen. */
  async look() {
    try {
      const video = { facingMode: "user", width: 640, height: 480 };
      const stream = await navigator.mediaDevices.getUserMedia({ video });
      if (!this.video.isConnected || this.stream) {
        // Whoever asked has left meanwhile, or asked twice.
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this.stream = stream;
    } catch {
      this.word.textContent = "There is no camera here, or this page may not use it.";
      return;
    }
    this.word.textContent = "";
    this.pad?.stop();
    this.video.srcObject = this.stream;
    this.looking.hidden = false;
    this.onLook();
    const { model } = this.pad ?? {};
    if (model) drawMean(this.aim, model, new Float32Array(model.latents));
    this.board.hidden = false;
    this.button.textContent = "Freeze";
    this.button.setAttribute("aria-pressed", "true");
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const next = () => {
      const { videoWidth: width, videoHeight: height } = this.video;
      if (context && width && this.encoder) {
        if (canvas.width !== width) Object.assign(canvas, { width, height });
        // As in a mirror.
        context.setTransform(-1, 0, 0, 1, width, 0);
        context.drawImage(this.video, 0, 0);
        const picture = context.getImageData(0, 0, width, height);
        const { shape } = this.encoder;
        const aim = AIM * widths(picture, shape[1] / shape[0]).fit;
        this.aim.style.width = `${100 * aim}%`;
        this.judge(picture, { x: 0.5, y: 0.5, width: aim }, false);
      }
      if (this.stream) this.frame = requestAnimationFrame(next);
    };
    await this.video.play();
    next();
  }

  /** Let go of the camera; the face stays where it was. */
  freeze() {
    if (!this.stream) return;
    cancelAnimationFrame(this.frame);
    for (const track of this.stream.getTracks()) track.stop();
    this.stream = undefined;
    this.video.srcObject = null;
    this.looking.hidden = true;
    this.button.textContent = "Camera";
    this.button.setAttribute("aria-pressed", "false");
    this.pad?.settle();
  }
}

/**
 * The widths of a frame on a photo: where it fits, and half as large again as the photo.
 *
 * @param {{width: number, height: number}} photo
 * @param {number} aspect  The frame's width in shares of its height.
 */
export function widths({ width, height }, aspect) {
  const whole = (aspect * height) / width;
  return { fit: Math.min(1, whole), widest: 1.5 * Math.max(1, whole) };
}
