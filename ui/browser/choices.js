/** What the visitor has chosen to see, remembered in this browser. */

/**
 * @typedef {object} Choices
 * @property {boolean} faces
 * @property {boolean} points
 * @property {boolean} arrows
 * @property {string} grain  How pixels are drawn, `smooth` or as `pixels`.
 */

const MEMORY = "visage-pad";

/** @type {Choices}  What is shown to who has chosen nothing yet. */
const AT_FIRST = { faces: true, points: true, arrows: true, grain: "smooth" };

/** The switches, by name. */
export const SWITCHES = /** @type {const} */ (["faces", "points", "arrows"]);

/**
 * Choices from what a browser holds, which may be anything.
 *
 * @param {string | null} text
 * @returns {Choices}
 */
export function read(text) {
  let held;
  try {
    held = JSON.parse(text ?? "null") ?? {};
  } catch {
    held = {};
  }
  const choices = { ...AT_FIRST };
  for (const name of SWITCHES) {
    if (typeof held[name] === "boolean") choices[name] = held[name];
  }
  if (held.grain === "pixels") choices.grain = "pixels";
  return choices;
}

export function remembered() {
  try {
    return read(localStorage.getItem(MEMORY));
  } catch {
    // There is no storage, as in some private windows.
    return read(null);
  }
}

/** @param {Choices} choices */
export function remember(choices) {
  try {
    localStorage.setItem(MEMORY, JSON.stringify(choices));
  } catch {
    // There is no storage here: it holds until the page is left.
  }
}

/**
 * The choices after a control has changed, or nothing where it is not one of theirs.
 *
 * @param {Choices} choices
 * @param {EventTarget | null} control
 * @returns {Choices | undefined}
 */
export function chosen(choices, control) {
  if (!(control instanceof HTMLInputElement) || !(control.name in AT_FIRST)) return undefined;
  const value = control.name === "grain" ? control.value : control.checked;
  return { ...choices, [control.name]: value };
}

/**
 * Have the controls say what is chosen.
 *
 * @param {ParentNode} root
 * @param {Choices} choices
 */
export function show(root, choices) {
  for (const input of root.querySelectorAll("input")) {
    if (input.name === "grain") input.checked = input.value === choices.grain;
    for (const name of SWITCHES) if (input.name === name) input.checked = choices[name];
  }
}
