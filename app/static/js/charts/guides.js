/* The best epoch and the crosshair of a chart: lines above its canvas, so that moving them does not redraw the
   chart. */
import { h, write } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

export class Guides {
  constructor(plot) {
    this.plot = plot;
    this.name = h("span", { class: "chart-guide-name" });
    this.best = h("div", { class: "chart-guide is-best", hidden: true }, this.name);
    this.pointer = h("div", { class: "chart-guide", hidden: true });
    this.elements = [this.best, this.pointer];
    this.area = "";
  }

  /** Call it after the chart was drawn, since its axes may have changed. */
  update() {
    const { top, bottom } = this.plot.chart?.chartArea ?? {};
    const area = `${top} ${bottom}`;
    if (area !== this.area && top !== undefined) {
      for (const line of this.elements) Object.assign(line.style, { top: `${top}px`, height: `${bottom - top}px` });
      this.area = area;
    }
    this.updateBest();
    this.updatePointer();
  }

  updateBest() {
    const x = this.moved(this.best, this.plot.bestEpoch);
    if (x === null) return;
    write(this.name, t("best: {epoch}", { epoch: this.plot.bestEpoch }));
    const { left, right } = this.plot.chart.chartArea;
    this.best.classList.toggle("is-left", x > (left + right) / 2);
  }

  updatePointer() {
    this.moved(this.pointer, this.plot.pointer);
  }

  /** The position of a line in pixels; null outside of the axis. */
  moved(line, value) {
    const { x } = this.plot.chart?.scales ?? {};
    const outside = !x || (value ?? null) === null || value < x.min || value > x.max; // the start of a time axis is 0
    if (line.hidden !== outside) line.hidden = outside;
    if (outside) return null;
    const at = Math.round(x.getPixelForValue(value));
    line.style.transform = `translateX(${at}px)`;
    return at;
  }
}
