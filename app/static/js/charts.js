/* One chart style. A chart is created once; its data is mutated and drawn again without animation.
   Charts of one page share a crosshair; the legend shows the values under it, else the latest ones. */
import { pressed } from "./chart_keys.js";
import { chartOptions } from "./chart_options.js";
import { key, tools } from "./chart_tools.js";
import { Guides } from "./chart_guides.js";
import { group, marks, marksNear, pointed, pointTo } from "./crosshair.js";
import { FEW, place } from "./curve.js";
import { h, put, write } from "./dom.js";
import { soon, unwatch, watch } from "./drawing.js";
import { steady } from "./format.js";
import { locale, t } from "./i18n.js";
import { keep, kept } from "./prefs.js";
import { Average, smoothing } from "./smoothing.js";
import { css, small } from "./theme_colours.js";

export { Mini } from "./mini.js";

const Chart = window.Chart;

Chart.defaults.font.family = css("--font");
Chart.defaults.font.size = small();
Chart.defaults.locale = locale;

smoothing.addEventListener("change", () => { for (const plot of group) plot.smoothed(); });

/** A chart of series over epochs.
 *  spec: {title, key (what it is called in what the browser keeps), name (of downloads), wide, full (the whole row), min, max, wait (text while
 *  it is empty), x(metric), xMin, xMax, xTitle, mark ({x, label}: a line of its
 *  own), alone (not over epochs: a crosshair of its own), dots (false: never), smooth (false: never), log (offers a logarithmic scale),
 *  series: [{label, value(metric), colour 1..6, dashed, faint (drawn thin and pale)}]} */
export class Plot {
  constructor(spec) {
    this.spec = { x: (metric) => metric.epoch, xMin: 1, wait: t("The first value appears after the first epoch."), smooth: true, ...spec };
    this.pref = `chart.${spec.key || spec.title}`;
    this.chosen = { hidden: [], log: false, ...kept(this.pref, {}) };
    this.metrics = [];
    this.own = null; // the place of the crosshair where it is not shared
    this.outgrown = true; // the axes do not fit what is to be drawn
    this.drawn = 0; // points of each curve that are drawn
    this.guides = new Guides(this);
    this.canvas = h("canvas", { role: "img", "aria-label": spec.title, tabindex: 0, onkeydown: (event) => pressed(this, event), onblur: () => this.left() });
    this.wait = h("div", { class: "chart-wait" }, this.spec.wait);
    this.note = h("div", { class: "chart-note", hidden: true });
    this.spoken = h("span", { class: "visually-hidden", "aria-live": "polite" });
    this.keys = spec.series.map((series) => key(this, series));
    this.element = h("article", { class: `panel chart ${spec.wide ? "is-wide" : ""} ${spec.full ? "is-full" : ""}`, "data-chart": spec.key },
      h("header", { class: "chart-head" }, h("h2", {}, spec.title), h("div", { class: "chart-tools" }, tools(this))),
      h("div", { class: "chart-legend" }, this.keys.map((item) => item.element)),
      h("div", { class: "chart-box" }, this.canvas, this.guides.elements, this.note, this.wait), this.spoken);
    const line = (series, raw) => ({
      data: [], label: series.label, borderDash: series.dashed ? [4, 3] : [], borderWidth: raw || series.faint ? 1 : 1.6,
      dots: this.spec.dots !== false,
    });
    this.datasets = [...spec.series.map((item) => line(item, false)), ...spec.series.map((item) => line(item, true))];
    this.plain = chartOptions(this.spec, () => this.zoomed(true));
    this.chart = null; // until it comes to the screen
  }

  get options() {
    return this.chart ? this.chart.options : this.plain;
  }

  /** Draw it from now on; the element must be in the page. */
  start() {
    this.scaled();
    group.add(this);
    this.themed = () => { this.recolour(); this.changed(); };
    document.addEventListener("theme", this.themed);
    watch(this);
    return this;
  }

  /** The chart itself: ten milliseconds each when a page begins, so only of those that are seen. */
  make() {
    this.recolour();
    this.showChosen();
    const known = { id: "known", beforeInit: (chart) => { chart.plot = this; } }; // Chart draws before its constructor ends
    this.chart = new Chart(this.canvas, { type: "curve", data: { datasets: this.datasets }, options: this.plain, plugins: [known, marks] });
    this.guides.place();
  }

  /** Take it away for good. */
  end() {
    group.delete(this);
    unwatch(this);
    document.removeEventListener("theme", this.themed);
    this.chart?.destroy();
    this.element.remove();
  }

  unzoom() {
    this.chart.resetZoom("none");
    this.zoomed(false);
  }

  zoomed(is) {
    this.reset.hidden = !is;
  }

  keepChosen() {
    keep(this.pref, this.chosen);
  }

  /** The scale as it was chosen. A logarithmic one has no zero. */
  scaled() {
    this.logButton?.setAttribute("aria-pressed", this.chosen.log);
    const { y } = this.options.scales;
    y.type = this.chosen.log ? "logarithmic" : "linear";
    y.min = this.chosen.log ? undefined : this.spec.min;
  }

  get weight() {
    return this.spec.smooth ? smoothing.weight : 0;
  }

  /** Which lines are shown: those that are switched on, and the plain values behind smoothed ones. */
  showChosen() {
    const { chart, datasets, spec: { series } } = this;
    const show = (index, shown) => { if (chart) chart.setDatasetVisibility(index, shown); else datasets[index].hidden = !shown; };
    series.forEach(({ label }, index) => {
      const shown = !this.chosen.hidden.includes(label);
      show(index, shown);
      show(series.length + index, shown && this.weight > 0);
    });
  }

  /** Replace everything: metrics by epoch. */
  set(metrics) {
    this.metrics = [...metrics];
    this.wait.hidden = metrics.length > 0; // said at once: what is not on the screen is drawn later
    this.refill();
  }

  /** Add one epoch. */
  push(metric) {
    this.metrics.push(metric);
    this.wait.hidden = true;
    this.add(metric);
    this.grown();
  }

  /** Take so many of the oldest away. */
  shift(count) {
    this.metrics.splice(0, count);
    for (const dataset of this.datasets) if (dataset.data.length) dataset.data.splice(0, count);
    this.drawn = 0;
  }

  refill() {
    this.averages = this.spec.series.map(() => new Average(this.weight));
    for (const dataset of this.datasets) dataset.data = [];
    for (const metric of this.metrics) this.add(metric);
    this.changed();
  }

  add(metric) {
    const { datasets, spec: { series } } = this;
    this.averages ??= series.map(() => new Average(this.weight));
    const x = this.spec.x(metric);
    series.forEach((item, index) => {
      const value = item.value(metric) ?? null;
      datasets[index].data.push({ x, y: this.weight ? this.averages[index].next(value) : value });
      if (this.weight) datasets[series.length + index].data.push({ x, y: value });
    });
  }

  smoothed() {
    if (!this.spec.smooth) return;
    this.showChosen();
    this.refill();
  }

  best(epoch) {
    this.bestEpoch = epoch;
    this.guides.placeBest();
  }

  /** Something is other than drawn. */
  changed() {
    this.outgrown = true;
    soon(this);
  }

  /** There is one point more. Within the axes it is only drawn: making axes is most of the work. */
  grown() {
    this.outgrown ||= !this.fits();
    soon(this);
  }

  /** Whether the newest point has its place on the axes as they are. Where the reader zoomed, and where their least is given, they stay. */
  fits() {
    if (!this.chart) return false;
    const { x, y } = this.chart.scales;
    const newest = this.datasets.map(({ data }) => data.at(-1)).filter(Boolean);
    if (!this.reset.hidden && newest.every((point) => point.x > x.max)) return true;
    const least = y.options.min === undefined ? y.min : -Infinity;
    return newest.every((point) => point.x >= x.min && point.x <= x.max && (point.y === null || (point.y >= least && point.y <= y.max)));
  }

  paint() {
    if (!this.chart) this.make();
    else if (this.outgrown) this.chart.update("none");
    else this.extend();
    this.outgrown = false;
    this.legend();
    if (this.pointer !== null) this.explain(); // an event may have come to where the crosshair is
  }

  /** Draw what is new at the curves' ends: all of it anew takes ten times as long. */
  extend() {
    const from = this.drawn;
    if (!from || this.metrics.length <= FEW) { this.chart.draw(); return; }
    for (const { controller } of this.chart.getSortedVisibleDatasetMetas()) controller.extend(from);
    this.drawn = this.metrics.length;
  }

  get pointer() {
    return this.spec.alone ? this.own : pointed();
  }

  /** The pointer is at a place of the axis: the nearest point gets the crosshair; null takes it away. */
  pointTo(place) {
    if (!this.spec.alone) { pointTo(place === null ? null : Math.max(1, Math.round(place))); return; }
    const near = place === null ? null : this.metrics.reduce((best, metric) => (Math.abs(this.spec.x(metric) - place) < Math.abs(best - place) ? this.spec.x(metric) : best), Infinity);
    if (near === this.own) return;
    this.own = near;
    this.pointed();
  }

  pointed() {
    if (!this.onScreen || !this.chart) return;
    this.guides.placePointer();
    this.legend();
    this.explain();
  }

  /** The event under the crosshair, on the chart that the reader is at. */
  explain() {
    const epoch = this.pointer;
    const here = epoch !== null && !this.spec.alone && (this.element.matches(":hover") || document.activeElement === this.canvas);
    const found = here ? marksNear(this.chart, epoch) : [];
    this.note.hidden = !found.length;
    if (found.length) put(this.note, found.slice(-3).map((mark) => h("p", {}, h("strong", {}, t("epoch {epoch}", { epoch: mark.epoch })), ` ${mark.text}`)));
    return found;
  }

  /** The metric at an epoch; they are sorted. */
  at(epoch) {
    const found = this.metrics[place(this.metrics, (metric) => this.spec.x(metric) >= epoch)];
    return found && this.spec.x(found) === epoch ? found : null;
  }

  legend() {
    const at = this.pointer !== null && this.at(this.pointer);
    const metric = at || (this.spec.alone ? null : this.metrics.at(-1));
    const values = this.spec.series.map((series) => (metric ? steady(series.value(metric)) : ""));
    this.keys.forEach(({ value }, index) => write(value, values[index]));
    if (!at) this.canvas.setAttribute("aria-label", `${this.spec.title}. ${this.say(values)} ${t("Arrow keys move along the curve, plus and minus zoom, zero resets the zoom.")}`);
    return values;
  }

  say(values) {
    return this.spec.series.map((series, index) => `${series.label}: ${values[index]}`).join(", ");
  }

  left() {
    if (this.pointer !== null && !this.element.matches(":hover")) this.pointTo(null);
    this.note.hidden = true;
  }

  recolour() {
    const colour = { grid: css("--line"), text: css("--quiet") };
    for (const scale of Object.values(this.options.scales)) {
      scale.ticks.color = colour.text;
      if (scale.title) scale.title.color = colour.text;
      if (scale.grid?.display !== false) scale.grid = { color: colour.grid, tickLength: 0 };
    }
    const count = this.spec.series.length;
    this.datasets.forEach((dataset, index) => {
      const { colour: number, faint } = this.spec.series[index % count];
      const line = css(`--series-${number}`);
      const shown = index >= count || faint ? `color-mix(in srgb, ${line} ${faint ? 45 : 28}%, transparent)` : line;
      Object.assign(dataset, { borderColor: shown, backgroundColor: shown });
    });
  }
}

/** Put plots into a grid and draw them. */
export function mount(place, plots) {
  put(place, plots.map((plot) => plot.element));
  return plots.map((plot) => plot.start());
}
