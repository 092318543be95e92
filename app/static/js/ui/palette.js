/* Colours of classes. A colour is never the only mark of a class: its number or name is beside it. */

// Dark enough for white text, the first eight distinguishable with impaired colour vision.
export const COLOURS = [
  "#5346c9",
  "#b34700",
  "#00706a",
  "#a3286f",
  "#1f5fae",
  "#7a5b00",
  "#8b2f2f",
  "#3d6b1f",
  "#7b3fb0",
  "#0d6c8c",
  "#9a3d12",
  "#4f5d73",
  "#b02a4c",
  "#2f7048",
  "#6b4f3a",
  "#3f4fa0",
];

export const classColour = (index) => COLOURS[((index % COLOURS.length) + COLOURS.length) % COLOURS.length];

const SERIES = 6; // colours of curves, in the order of the first classes' colours

/** Colours of curves for some classes: each class has its own unless another one has it, so that it is the same all
 *  over the page. A Map from class to 1 … 6. */
export function seriesOf(classes) {
  const colours = new Map();
  const used = () => new Set(colours.values());
  for (const index of classes) if (!used().has((index % SERIES) + 1)) colours.set(index, (index % SERIES) + 1);
  for (const index of classes) {
    if (colours.has(index)) continue;
    const free = Array.from({ length: SERIES }, (_, at) => at + 1).find((colour) => !used().has(colour));
    colours.set(index, free ?? (index % SERIES) + 1);
  }
  return colours;
}

/** White or near black, whichever is more readable on the colour. */
export function inkOn(hex) {
  const [red, green, blue] = [1, 3, 5].map((start) => Number.parseInt(hex.slice(start, start + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 150 ? "#15151c" : "#ffffff";
}
