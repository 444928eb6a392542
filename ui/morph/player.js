/**
 * Films in step: each is one picture of all its frames, and all show the same frame at a time.
 *
 * They run there and back for ever until paused. Where the visitor's system asks for less motion
 * they stand still until somebody presses play.
 */

/**
 * @typedef {{name: string, alt: string, lines: string[], sheet: string}} Film  `sheet` is the
 *   address of a picture of all frames, `columns` in a row.
 * @typedef {{films: Film[], frames: number, columns: number, size: [number, number],
 *   milliseconds: number}} Data  `size` is a frame's width and height in pixels.
 */

/**
 * An element that player.html has for sure.
 *
 * @template {HTMLElement} T
 * @param {Element} root
 * @param {string} selector
 * @param {new () => T} kind
 * @returns {T}
 */
const part = (root, selector, kind) => {
  const found = root.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`player.html has no ${selector}`);
  return found;
};

/**
 * The frame at a step of a film that runs there and back.
 *
 * @param {number} step
 * @param {number} frames
 */
const thereAndBack = (step, frames) => {
  const turn = Math.max(1, 2 * (frames - 1));
  const at = step % turn;
  return at < frames ? at : turn - at;
};

class Player {
  /**
   * @param {ParentNode} parent
   * @param {Data} data
   */
  constructor(parent, data) {
    const root = parent.querySelector(".player");
    if (!(root instanceof HTMLElement)) throw new Error("player.html has no .player");
    this.root = root;
    this.group = part(root, ".films", HTMLElement);
    this.button = part(root, "button", HTMLButtonElement);
    this.slider = part(root, "input", HTMLInputElement);
    this.data = data;
    this.shown = "";
    this.playing = false;
    this.request = 0;
    /** @type {number | undefined} */
    this.last = undefined;
    /** @type {{canvas: HTMLCanvasElement, sheet: HTMLImageElement}[]} */
    this.films = [];
    this.lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
    this.step = 0;
    this.button.onclick = () => this.play(!this.playing);
    this.slider.oninput = () => {
      this.play(false);
      this.step = Number(this.slider.value);
      this.draw();
    };
    this.lessMotion.onchange = () => this.play(!this.lessMotion.matches);
    this.play(!this.lessMotion.matches);
  }

  /** @param {Data} data */
  update(data) {
    const news = JSON.stringify(data);
    if (news === this.shown) return;
    this.shown = news;
    this.data = data;
    this.slider.max = String(data.frames - 1);
    this.films = data.films.map((film) => {
      const sheet = new Image();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = data.size;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", film.alt);
      sheet.onload = () => this.draw();
      sheet.src = film.sheet;
      return { canvas, sheet };
    });
    this.group.replaceChildren(
      ...data.films.map((film, index) => {
        const figure = document.createElement("figure");
        const caption = document.createElement("figcaption");
        const said = (/** @type {string} */ tag, /** @type {string} */ text) =>
          Object.assign(document.createElement(tag), { textContent: text });
        if (film.name) caption.append(said("strong", film.name));
        caption.append(...film.lines.map((line) => said("span", line)));
        figure.append(this.films[index].canvas, caption);
        return figure;
      }),
    );
    this.draw();
  }

  /** @param {boolean} playing */
  play(playing) {
    this.playing = playing;
    this.root.dataset.playing = String(playing);
    this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.button.title = playing ? "Pause" : "Play";
    cancelAnimationFrame(this.request);
    this.last = undefined;
    if (playing) this.request = requestAnimationFrame((now) => this.tick(now));
  }

  /** @param {number} now */
  tick(now) {
    this.request = requestAnimationFrame((later) => this.tick(later));
    this.last ??= now;
    const steps = Math.floor((now - this.last) / this.data.milliseconds);
    if (steps < 1) return;
    // A tab that was hidden goes on where it was.
    this.step += Math.min(steps, 2);
    this.last = now;
    this.draw();
  }

  draw() {
    const { frames, columns, size } = this.data;
    const [width, height] = size;
    const frame = thereAndBack(this.step, frames);
    this.slider.value = String(frame);
    for (const { canvas, sheet } of this.films) {
      if (!sheet.complete || !sheet.naturalWidth) continue;
      const left = (frame % columns) * width;
      const top = Math.floor(frame / columns) * height;
      canvas.getContext("2d")?.drawImage(sheet, left, top, width, height, 0, 0, width, height);
    }
    this.root.dataset.frame = String(frame);
  }

  destroy() {
    cancelAnimationFrame(this.request);
    this.lessMotion.onchange = null;
  }
}

/**
 * @param {object} component
 * @param {ShadowRoot | HTMLElement} component.parentElement
 * @param {Data} component.data
 */
export default function ({ parentElement, data }) {
  const host = /** @type {Element & {visagePlayer?: Player}} */ (
    parentElement instanceof ShadowRoot ? parentElement.host : parentElement
  );
  host.visagePlayer ??= new Player(parentElement, data);
  const player = host.visagePlayer;
  player.update(data);
  return () => {
    player.destroy();
    delete host.visagePlayer;
  };
}
