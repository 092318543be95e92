/* The style of a chart's line: its Chart.js dataset, and its colour in the theme. */
import { css } from "./theme_colours.js";

/** Set a line's colour: a CSS property, at this percentage. */
export function paintLine(dataset, colour, percent) {
  const painted = percent < 100 ? `color-mix(in srgb, ${css(colour)} ${percent}%, transparent)` : css(colour);
  Object.assign(dataset, { borderColor: painted, backgroundColor: painted });
}

/** The Chart.js dataset of a line.
 *  @param {Series} line @param {boolean} dots whether a point alone is marked
 *  @returns {any} */
export const newDataset = ({ label, dashed, faint }, dots) => ({
  data: [],
  label,
  borderDash: dashed ? [4, 3] : [],
  borderWidth: faint ? 1 : 1.6,
  dots,
});
