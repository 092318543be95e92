/* The pointer's position on the x axis, shared by several charts: each draws its own line there. */
import { css, small } from "./theme_colours.js";

export class Crosshair {
  constructor() {
    /** @type {number | null} */
    this.x = null;
    /** @type {Set<{pointed(): void, changed(): void}>} */
    this.charts = new Set();
    this.frame = 0;
  }

  /** @param {number | null} x null takes it away */
  moveTo(x) {
    if (x === this.x) return;
    this.x = x;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      for (const chart of this.charts) chart.pointed();
    });
  }
}

/** A dashed vertical line across a chart, with its label above. */
export function vertical({ ctx, chartArea: area, scales }, at, label) {
  if (!at || at < scales.x.min || at > scales.x.max) return;
  const x = Math.round(scales.x.getPixelForValue(at)) + 0.5;
  ctx.save();
  Object.assign(ctx, { strokeStyle: css("--quiet"), fillStyle: css("--quiet"), lineWidth: 1 });
  ctx.setLineDash([3, 3]);
  ctx.beginPath();
  ctx.moveTo(x, area.top);
  ctx.lineTo(x, area.bottom);
  ctx.stroke();
  ctx.font = `500 ${small()}px ${css("--font")}`;
  const right = x + ctx.measureText(label).width + 8 > area.right;
  ctx.textAlign = right ? "right" : "left";
  ctx.fillText(label, x + (right ? -5 : 5), area.top - 4);
  ctx.restore();
}
