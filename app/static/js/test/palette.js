/* The colour of each class: told apart by people who see few colours, and dark enough for white text; the reader may
   choose another, which this browser keeps. */
const COLOURS = ["#5346c9", "#b34700", "#00706a", "#a3286f", "#1f5fae", "#7a5b00", "#8b2f2f", "#3d6b1f"];
const KEY = "test-colours";
const given = new Map();
const chosen = read();

function read() {
  try { return new Map(Object.entries(JSON.parse(localStorage.getItem(KEY)) || {})); } catch { return new Map(); }
}

export function colour(name) {
  if (!given.has(name)) given.set(name, COLOURS[given.size % COLOURS.length]);
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
