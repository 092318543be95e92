/* How a line of a chart looks: what Chart.js is handed for it, and its colour in the theme. */
import { css } from "./theme_colours.js";

/** Colour a line: a property of the style, so many percent of it. */
export function paintLine(dataset, colour, percent) {
  const painted = percent < 100 ? `color-mix(in srgb, ${css(colour)} ${percent}%, transparent)` : css(colour);
  Object.assign(dataset, { borderColor: painted, backgroundColor: painted });
}

/** What Chart.js is handed for a line.
 *  @param {Series} line @param {boolean} dots whether a point alone is marked
 *  @returns {any} */
export const newDataset = ({ label, dashed, faint }, dots) => ({
  data: [],
  label,
  borderDash: dashed ? [4, 3] : [],
  borderWidth: faint ? 1 : 1.6,
  dots,
});
