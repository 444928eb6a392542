/**
 * The photo frame: the photo moves under a frame that stays.
 *
 * A frame is {x, y, width}: its middle in shares of the photo's width and height, and its width in
 * shares of the photo's width. Python hears of it when it has settled.
 */

// Of the stage's side, what the frame's longer side takes.
const SHARE = 0.78;

const ARROW = 0.01;
const ZOOM_KEY = 1.05;
const WHEEL = 0.0015;

// Longer than the pause between two turns of a wheel, shorter than a person waits.
const SETTLE_MS = 300;

const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

class PhotoFrame {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.stage = find(".stage");
    this.photo = find(".photo");
    this.window = find(".window");
    this.guide = find(".guide");
    this.canvas = find("canvas");
    this.zoom = find("[name=zoom]");
    this.opacity = find("[name=opacity]");
    this.pointers = new Map();
    this.listen();
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this.stage);
  }

  update(data, send) {
    this.send = send;
    const news = JSON.stringify([data.photo.length, data.guide, data.size, data.start]);
    if (news === this.shown) return;
    this.shown = news;
    this.data = data;
    this.frame = { ...data.start };
    this.canvas.width = data.size[0];
    this.canvas.height = data.size[1];
    this.guide.src = data.guide;
    this.photo.onload = () => this.draw();
    this.photo.src = data.photo;
  }

  destroy() {
    this.resize.disconnect();
    clearTimeout(this.timer);
  }

  listen() {
    const { stage, pointers } = this;
    stage.addEventListener("pointerdown", (event) => {
      // Else a drag would select the photo as if it were text.
      event.preventDefault();
      stage.focus({ preventScroll: true });
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event);
    });
    stage.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const span = this.span();
      pointers.set(event.pointerId, event);
      if (pointers.size === 2) this.scale(span / this.span());
      // Of two fingers each moves the photo by half.
      this.pan(
        (before.clientX - event.clientX) / pointers.size,
        (before.clientY - event.clientY) / pointers.size,
      );
    });
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, (event) => {
        if (pointers.delete(event.pointerId) && !pointers.size) this.settle(0);
      });
    }
    stage.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.scale(Math.exp(event.deltaY * WHEEL));
        this.settle();
      },
      { passive: false },
    );
    stage.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (arrow) {
        this.move(arrow[0] * ARROW * this.frame.width, arrow[1] * ARROW * this.frame.width);
      } else if (event.key === "+" || event.key === "=") this.scale(1 / ZOOM_KEY);
      else if (event.key === "-") this.scale(ZOOM_KEY);
      else if (event.key === "Home") this.move(0, 0, this.data.start);
      else return;
      event.preventDefault();
      this.settle();
    });
    this.zoom.addEventListener("input", () => {
      const { widest, closest } = this.data;
      this.frame.width = widest * (closest / widest) ** Number(this.zoom.value);
      this.draw();
      this.settle();
    });
    this.opacity.addEventListener("input", () => this.draw());
  }

  /** The distance of two fingers. */
  span() {
    const [a, b] = this.pointers.values();
    return b ? Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)) : 1;
  }

  /** Move by CSS pixels of the stage. */
  pan(dx, dy) {
    const wide = this.box().width / this.frame.width;
    const tall = (wide * this.photo.naturalHeight) / this.photo.naturalWidth;
    this.move(dx / wide, dy / tall);
  }

  move(dx, dy, from = this.frame) {
    this.frame = { ...from, x: clamp(from.x + dx, 0, 1), y: clamp(from.y + dy, 0, 1) };
    this.draw();
  }

  scale(factor) {
    const { widest, closest } = this.data;
    this.frame.width = clamp(this.frame.width * factor, closest, widest);
    this.draw();
  }

  settle(delay = SETTLE_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send("frame", { ...this.frame }), delay);
  }

  /** The frame in CSS pixels of the stage. */
  box() {
    const side = this.stage.clientWidth * SHARE;
    const aspect = this.data.size[0] / this.data.size[1];
    const width = Math.min(side, side * aspect);
    const height = width / aspect;
    return {
      width,
      height,
      left: (this.stage.clientWidth - width) / 2,
      top: (this.stage.clientHeight - height) / 2,
    };
  }

  draw() {
    const { naturalWidth: wide, naturalHeight: tall } = this.photo;
    if (!this.data || !wide) return;
    const { x, y, width } = this.frame;
    const box = this.box();
    for (const side of ["left", "top", "width", "height"]) {
      this.window.style[side] = `${box[side]}px`;
    }
    const scale = box.width / (width * wide);
    const left = box.left + box.width / 2 - x * wide * scale;
    const top = box.top + box.height / 2 - y * tall * scale;
    this.photo.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    this.guide.style.opacity = this.opacity.value;
    const { widest, closest } = this.data;
    this.zoom.value = Math.log(width / widest) / Math.log(closest / widest);
    this.drawPreview(wide, tall);
  }

  drawPreview(wide, tall) {
    const { canvas } = this;
    const { x, y, width } = this.frame;
    const context = canvas.getContext("2d");
    context.filter = this.data.grey ? "grayscale(1)" : "none";
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    const scale = canvas.width / (width * wide);
    context.drawImage(
      this.photo,
      canvas.width / 2 - x * wide * scale,
      canvas.height / 2 - y * tall * scale,
      wide * scale,
      tall * scale,
    );
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const host = parentElement.host ?? parentElement;
  host.visagePhotoFrame ??= new PhotoFrame(parentElement);
  const frame = host.visagePhotoFrame;
  frame.update(data, setStateValue);
  return () => {
    frame.destroy();
    delete host.visagePhotoFrame;
  };
}
