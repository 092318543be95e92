/* A small curve without axes or library: one figure of the machine over the last minutes. */
import { h } from "./dom.js";

const KEEP = 150; // five minutes at one figure every two seconds

export class Spark {
  /** `colour` 1..6; `top` is the value of the upper edge, null: the largest value that is shown. */
  constructor(colour, top = null) {
    Object.assign(this, { colour, top, values: [] });
    this.canvas = h("canvas", { class: "spark", "aria-hidden": "true" });
    document.addEventListener("theme", () => this.draw());
  }

  set(values) {
    this.values = values.slice(-KEEP);
    this.draw();
  }

  draw() {
    const { canvas, values } = this;
    const [width, height, scale] = [canvas.clientWidth, canvas.clientHeight, window.devicePixelRatio || 1];
    if (!width) return;
    Object.assign(canvas, { width: width * scale, height: height * scale });
    const top = this.top || Math.max(...values, 0) || 1;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.strokeStyle = context.fillStyle = getComputedStyle(canvas).getPropertyValue(`--series-${this.colour}`);
    const point = (value, index) => [width - (values.length - 1 - index) * (width / (KEEP - 1)), height - 1 - Math.min(1, value / top) * (height - 2)];
    const points = values.map(point);
    if (!points.length) return;
    context.beginPath();
    points.forEach(([x, y]) => context.lineTo(x, y));
    context.lineWidth = 1.4;
    context.stroke();
    context.lineTo(width, height);
    context.lineTo(points[0][0], height);
    context.globalAlpha = 0.12;
    context.fill();
  }
}
