/* A reader's preferences, stored in this browser; if storage is blocked they last as long as the page. */
const PREFIX = "yolo.";
/** @type {Map<string, any>} */
const here = new Map();

/** The saved value, or `otherwise`. @template T @param {string} name @param {T} otherwise @returns {T} */
export function readPref(name, otherwise) {
  if (here.has(name)) return here.get(name);
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** @param {string} name @param {any} value */
export function savePref(name, value) {
  here.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    /* blocked or full */
  }
}
