/* The colour of each class by its name: that of its number if the model is known, otherwise the next of the palette; or
   the reader's choice, stored in this browser. */
import { classColour } from "../ui/palette.js";

const KEY = "test-colours";
const assigned = new Map();
const chosen = read();

function read() {
  try {
    return new Map(Object.entries(JSON.parse(localStorage.getItem(KEY)) || {}));
  } catch {
    return new Map();
  }
}

export function colour(name) {
  if (!assigned.has(name)) assigned.set(name, classColour(assigned.size));
  return chosen.get(name) || assigned.get(name);
}

/** The classes of a model in the order of their numbers: they get the colours of the other pages. */
export function introduce(names) {
  names.forEach((name, index) => {
    if (!assigned.has(name)) assigned.set(name, classColour(index));
  });
}

export function choose(name, value) {
  chosen.set(name, value);
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(chosen)));
  } catch {
    /* private mode: for this page only */
  }
}
