/* The colour of each class by its name: the next of the palette, or the one that the reader chose, which this browser
   keeps. */
import { classColour } from "../palette.js";

const KEY = "test-colours";
const given = new Map();
const chosen = read();

function read() {
  try { return new Map(Object.entries(JSON.parse(localStorage.getItem(KEY)) || {})); } catch { return new Map(); }
}

export function colour(name) {
  if (!given.has(name)) given.set(name, classColour(given.size));
  return chosen.get(name) || given.get(name);
}

export function choose(name, value) {
  chosen.set(name, value);
  try { localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(chosen))); } catch { /* private mode: for this page alone */ }
}

/** White or near black, whichever is read more easily on the colour. */
export function inkOn(hex) {
  const [red, green, blue] = [1, 3, 5].map((place) => Number.parseInt(hex.slice(place, place + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 150 ? "#15151c" : "#ffffff";
}
