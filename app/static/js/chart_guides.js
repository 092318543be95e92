/* The best epoch and the crosshair of a chart: lines above its canvas, so that nothing is drawn again when they move. */
import { vertical } from "./crosshair.js";
import { h, write } from "./dom.js";
import { t } from "./i18n.js";
import { css } from "./theme_colours.js";

export class Guides {
  constructor(plot) {
    this.plot = plot;
    this.name = h("span", { class: "chart-guide-name" });
    this.best = h("div", { class: "chart-guide is-best", hidden: true }, this.name);
    this.pointer = h("div", { class: "chart-guide", hidden: true });
    this.elements = [this.best, this.pointer];
    this.area = "";
  }

  /** After the chart was drawn: its axes may be others. */
  place() {
    const { top, bottom } = this.plot.chart?.chartArea ?? {};
    const area = `${top} ${bottom}`;
    if (area !== this.area && top !== undefined) {
      for (const line of this.elements) Object.assign(line.style, { top: `${top}px`, height: `${bottom - top}px` });
      this.area = area;
    }
    this.placeBest();
    this.placePointer();
  }

  placeBest() {
    const x = this.moved(this.best, this.plot.bestEpoch);
    if (x === null) return;
    write(this.name, t("best: {epoch}", { epoch: this.plot.bestEpoch }));
    const { left, right } = this.plot.chart.chartArea;
    this.best.classList.toggle("is-left", x > (left + right) / 2);
  }

  placePointer() {
    this.moved(this.pointer, this.plot.pointer);
  }

  /** Where a line is now, in pixels; null where it has no place. */
  moved(line, place) {
    const { x } = this.plot.chart?.scales ?? {};
    const gone = !x || (place ?? null) === null || place < x.min || place > x.max; // the start of a time axis is 0
    if (line.hidden !== gone) line.hidden = gone;
    if (gone) return null;
    const at = Math.round(x.getPixelForValue(place));
    line.style.transform = `translateX(${at}px)`;
    return at;
  }

  /** Draw what lies above the canvas onto it, for a picture of it. */
  draw() {
    const { bestEpoch, chart } = this.plot;
    if (bestEpoch) vertical(chart, bestEpoch, css("--quiet"), t("best: {epoch}", { epoch: bestEpoch }));
  }
}
