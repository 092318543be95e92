/* A curve of a few centimetres without axes: SVG, so that it follows the style's colour and width by itself. It is
   created once; `set` moves its points. */
import { setDifferent } from "../lib/dom.js";
import { trace } from "./polyline.js";

const SPACE = "http://www.w3.org/2000/svg";
// of the drawing, which is stretched over its element; points of one column are drawn as one
const [WIDTH, HEIGHT] = [400, 24];

function svg(tag, attributes) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export class SmallCurve {
  /** @param {{className?: string, colour?: number, label?: string, filled?: boolean, end?: boolean}} options
   *  classes; 1..6; a text alternative, if there is none beside it; fill below the curve; a dot at its end */
  constructor({ className = "", colour = 1, label, filled = false, end = false } = {}) {
    this.line = svg("polyline", { class: "small-curve-line" });
    this.ground = filled ? svg("polygon", { class: "small-curve-ground" }) : null;
    // of no length: with round ends it is a dot that is not distorted by stretching
    this.end = svg("path", { class: "small-curve-end" });
    this.always = end;
    this.element = svg("svg", {
      class: `small-curve ${className}`,
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }),
    });
    this.element.style.setProperty("--curve", `var(--series-${colour})`);
    this.element.append(...(this.ground ? [this.ground] : []), this.line, this.end);
  }

  /** Points by x, and the values at the edges of the drawing.
   *  @param {Point[]} points @param {{x: [number, number], y: [number, number]}} edges */
  set(points, { x: [left, right], y: [bottom, top] }) {
    const toX = (x) => ((x - left) / (right - left || 1)) * WIDTH;
    const toY = (y) => HEIGHT - Math.min(1, Math.max(0, (y - bottom) / (top - bottom || 1))) * HEIGHT;
    /** @type {[number, number][]} */
    const path = [];
    trace(points, toX, toY, (x, y) => path.push([x, y]));
    const written = path.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`);
    this.line.setAttribute("points", written.join(" "));
    const [first, last] = [path[0], path.at(-1)];
    const dot = last && (this.always || path.length === 1);
    setDifferent(this.end, { d: dot ? `M${last[0].toFixed(1)} ${last[1].toFixed(1)}h0` : "" });
    if (this.ground && path.length)
      this.ground.setAttribute("points", `${first[0]},${HEIGHT} ${written.join(" ")} ${last[0]},${HEIGHT}`);
  }

  /** The latest value at the right edge; `most` values fill the width.
   *  @param {number[]} values @param {number} most @param {number | null} top the value of the upper edge; null: the
   *  largest one */
  setLatest(values, most, top) {
    const from = most - values.length;
    const points = values.map((y, index) => ({ x: from + index, y }));
    this.set(points, { x: [0, most - 1], y: [0, top || Math.max(...values, 0) || 1] });
  }
}
