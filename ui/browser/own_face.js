/** One's own face: a photo or the camera, through the encoder, in the visitor's own browser. */

/** @import { Encoder } from "./encoder.js" */
/** @import { Frame } from "./framing.js" */
/** @import { Pad } from "./pad.js" */

import { contextOf, find } from "./dom.js";
import { framedPixels } from "./downsample.js";
import { colour, drawMean } from "./paint.js";
import { PhotoFrame } from "./photo_stage.js";
import { written } from "./words.js";

/** The longest side of a photo that is read whole. */
const LONGEST_SIDE = 4096;

/** How far a frame zooms in, in shares of the width at which it fits. */
const NEAREST = 0.05;

/** What of a camera's picture the frame takes, in shares of the width at which it fits. */
const AIM = 0.75;

export class OwnFace {
  /** @type {Encoder | undefined} */
  encoder;

  /** @type {Pad | undefined} */
  pad;

  /** @type {ImageData | undefined} */
  photo;

  /** The photo's address in this browser. */
  source = "";

  /** @type {PhotoFrame | undefined} */
  stage;

  /** @type {MediaStream | undefined} */
  stream;

  frame = 0;

  /** @param {Document} root */
  constructor(root) {
    this.section = find(root, ".own", HTMLElement);
    this.board = find(this.section, ".own-board", HTMLElement);
    this.input = find(this.section, "[name=photo]", HTMLInputElement);
    this.camera = find(this.section, "[name=camera]", HTMLButtonElement);
    this.video = find(this.section, "video", HTMLVideoElement);
    this.looking = find(this.section, ".looking", HTMLElement);
    this.aim = find(this.section, ".aim", HTMLCanvasElement);
    this.word = find(this.section, ".own-word", HTMLElement);
    this.seen = find(this.section, ".seen", HTMLCanvasElement);
    this.made = find(this.section, ".made", HTMLCanvasElement);
    this.place = find(this.section, ".own-place", HTMLElement);
    this.framing = find(this.section, ".photo-frame", HTMLElement);
    this.input.addEventListener("change", () => this.read());
    this.camera.addEventListener("click", () => (this.stream ? this.freeze() : this.look()));
    this.camera.hidden = !navigator.mediaDevices;
  }

  /**
   * @param {Pad} pad
   * @param {Encoder | undefined} encoder  Of the model that is shown, if it travelled.
   */
  adopt(pad, encoder) {
    this.freeze();
    this.pad = pad;
    this.encoder = encoder;
    this.section.hidden = !encoder;
    if (encoder && this.photo) this.lay(this.photo);
    else this.board.hidden = true;
  }

  /** Read the photo that was chosen. */
  async read() {
    const file = this.input.files?.[0];
    if (!file) return;
    this.freeze();
    try {
      const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
      const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(bitmap.width * scale));
      canvas.height = Math.max(1, Math.round(bitmap.height * scale));
      const context = contextOf(canvas);
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      this.lay(context.getImageData(0, 0, canvas.width, canvas.height), URL.createObjectURL(file));
      this.word.textContent = "";
    } catch {
      this.word.textContent = "This is no picture that this browser can read: choose another.";
    }
  }

  /**
   * Lay a photo under the frame.
   *
   * @param {ImageData} photo
   */
  lay(photo, source = this.source) {
    const model = this.pad?.model;
    if (!model) return;
    if (source !== this.source && this.source) URL.revokeObjectURL(this.source);
    this.source = source;
    this.photo = photo;
    this.board.hidden = false;
    this.framing.hidden = false;
    const [height, width, channels = 1] = model.shape;
    const guide = document.createElement("canvas");
    drawMean(guide, model, new Float32Array(model.latents));
    const { fit, widest } = bounds(photo, width / height);
    const data = {
      photo: source,
      guide: guide.toDataURL("image/png"),
      size: /** @type {[number, number]} */ ([width, height]),
      grey: channels === 1,
      start: { x: 0.5, y: 0.5, width: fit },
      widest,
      closest: NEAREST * fit,
    };
    const send = (/** @type {string} */ _, /** @type {object} */ frame) =>
      this.judge(photo, /** @type {Frame} */ (frame), true);
    this.stage ??= new PhotoFrame(this.framing, data, send);
    this.stage.update(data, send);
    this.judge(photo, data.start, true);
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
  }

  /** Look through the camera, until it is frozen. */
  async look() {
    try {
      const video = { facingMode: "user", width: 640, height: 480 };
      this.stream = await navigator.mediaDevices.getUserMedia({ video });
    } catch {
      this.word.textContent = "There is no camera here, or this page may not use it.";
      return;
    }
    this.word.textContent = "";
    this.pad?.stop();
    this.video.srcObject = this.stream;
    this.looking.hidden = false;
    this.framing.hidden = true;
    const { model } = this.pad ?? {};
    if (model) drawMean(this.aim, model, new Float32Array(model.latents));
    this.board.hidden = false;
    this.camera.textContent = "Freeze";
    this.camera.setAttribute("aria-pressed", "true");
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
        const aim = AIM * bounds(picture, shape[1] / shape[0]).fit;
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
    this.camera.textContent = "Camera";
    this.camera.setAttribute("aria-pressed", "false");
    this.pad?.settle();
  }
}

/**
 * The widths of a frame on a photo: where it fits, and half as large again as the photo.
 *
 * @param {{width: number, height: number}} photo
 * @param {number} aspect  The frame's width in shares of its height.
 */
function bounds({ width, height }, aspect) {
  const whole = (aspect * height) / width;
  return { fit: Math.min(1, whole), widest: 1.5 * Math.max(1, whole) };
}
