/* A chart of a training's figures: over its epochs, with a shared crosshair; or over something else, alone. */
import { h, setChildren, setDifferent } from "../lib/dom.js";
import { significant, steady } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { readPref, savePref } from "../lib/prefs.js";
import { Crosshair, vertical } from "./crosshair.js";
import { FEW } from "./curve.js";
import { drawMarks, epochs, marksNear } from "./event_marks.js";
import { LineChart } from "./line_chart.js";
import { newDataset, paintLine } from "./line_look.js";
import { firstIndex } from "./polyline.js";
import { Average, smoothing } from "./smoothing.js";
import { button } from "./tools.js";

const USUAL = { xMin: 1, smooth: true, x: (metric) => metric.epoch };

/**
 * The specification of a Plot. In addition to LineSpec: the text of downloads, how a metric becomes points, a marked
 * position of the axis.
 * @typedef {LineSpec & {
 *   name: () => string,
 *   x?: (metric: any) => number,
 *   alone?: boolean,
 *   dots?: boolean,
 *   smooth?: boolean,
 *   mark?: {x: number, label: string} | null | undefined | 0,
 *   series: {label: string, value: (metric: any) => number | null | undefined, colour: number, dashed?: boolean,
 * faint?: boolean}[],
 * }} PlotSpec
 */
export class Plot extends LineChart {
  /** @param {PlotSpec} spec */
  constructor(spec) {
    const wait = t("The first value appears after the first epoch.");
    super({ ...USUAL, wait, ...spec }, spec.alone ? new Crosshair() : epochs);
    this.pref = `chart.${spec.key || spec.title}`;
    this.chosen = { hidden: [], log: false, ...readPref(this.pref, {}) };
    this.metrics = [];
    this.averages = null;
    this.drawn = 0; // number of drawn points of each curve
    this.series = spec.series.map(({ colour, ...series }) => ({ ...series, colour: `--series-${colour}` }));
    const dots = spec.dots !== false;
    // the unsmoothed values behind smoothed lines
    const behind = this.series.map((line) => newDataset({ ...line, faint: true }, dots));
    this.datasets = [...this.series.map((line) => newDataset(line, dots)), ...behind];
    this.logButton = spec.log ? button(this, null, t("Logarithmic scale"), () => this.switchScale()) : null;
    if (this.logButton) this.reset.after(this.logButton);
    this.scaled();
    this.showKeys(
      (index) => this.toggle(index),
      (index) => this.isHidden(index),
    );
  }

  lines() {
    return this.series;
  }

  isHidden(index) {
    return this.chosen.hidden.includes(this.series[index].label);
  }

  toggle(index) {
    const { label } = this.series[index];
    const { hidden } = this.chosen;
    this.chosen.hidden = hidden.includes(label) ? hidden.filter((item) => item !== label) : [...hidden, label];
    savePref(this.pref, this.chosen);
    this.showChosen();
    this.changed();
  }

  switchScale() {
    this.chosen.log = !this.chosen.log;
    savePref(this.pref, this.chosen);
    this.scaled();
    this.changed();
  }

  /** Set the chosen scale. A logarithmic one has no zero. */
  scaled() {
    this.logButton?.setAttribute("aria-pressed", String(this.chosen.log));
    const { y } = this.options.scales;
    y.type = this.chosen.log ? "logarithmic" : "linear";
    y.min = this.chosen.log ? undefined : this.spec.min;
  }

  get weight() {
    return this.spec.smooth ? smoothing.weight : 0;
  }

  /** Show the chosen lines: those that are switched on, and the unsmoothed values behind smoothed ones. */
  showChosen() {
    const show = (index, visible) => {
      if (this.chart) this.chart.setDatasetVisibility(index, visible);
      else this.datasets[index].hidden = !visible;
    };
    this.series.forEach((_line, index) => {
      const visible = !this.isHidden(index);
      show(index, visible);
      show(this.series.length + index, visible && this.weight > 0);
    });
  }

  make() {
    this.showChosen();
    super.make();
  }

  colourLines() {
    super.colourLines();
    const count = this.series.length;
    this.series.forEach(({ colour, faint }, index) => paintLine(this.datasets[count + index], colour, faint ? 45 : 28));
  }

  /** Replace everything: metrics by x. */
  set(metrics) {
    this.metrics = [...metrics];
    setDifferent(this.wait, { hidden: metrics.length > 0 }); // immediately, since charts off the screen are drawn later
    this.rebuild();
  }

  /** Add one epoch. */
  push(metric) {
    this.metrics.push(metric);
    setDifferent(this.wait, { hidden: true });
    this.add(metric);
    this.grown();
  }

  /** Remove this many of the oldest points. */
  shift(count) {
    this.metrics.splice(0, count);
    for (const dataset of this.datasets) if (dataset.data.length) dataset.data.splice(0, count);
    this.drawn = 0;
  }

  /** The smoothing has changed. */
  refill() {
    if (!this.spec.smooth) return;
    this.showChosen();
    this.rebuild();
  }

  rebuild() {
    this.averages = this.series.map(() => new Average(this.weight));
    for (const dataset of this.datasets) dataset.data = [];
    for (const metric of this.metrics) this.add(metric);
    this.changed();
  }

  add(metric) {
    this.averages ??= this.series.map(() => new Average(this.weight));
    const x = this.spec.x(metric);
    const count = this.series.length;
    this.series.forEach((line, index) => {
      const value = line.value(metric) ?? null;
      this.datasets[index].data.push({ x, y: this.weight ? this.averages[index].next(value) : value });
      if (this.weight) this.datasets[count + index].data.push({ x, y: value });
    });
  }

  /** Mark the best epoch of the data that is set or pushed next, when that is drawn. */
  best(epoch) {
    this.bestEpoch = epoch;
  }

  /** A point was added. Within the axes it is only drawn, since building axes is most of the work. */
  grown() {
    this.outgrown ||= !this.fits();
    this.refresh();
  }

  /** Whether the newest point fits the present axes. They stay where the reader zoomed, and where their minimum is
   *  given. */
  fits() {
    if (!this.chart) return false;
    const { x, y } = this.chart.scales;
    const newest = this.datasets.map(({ data }) => data.at(-1)).filter(Boolean);
    if (!this.reset.hidden && newest.every((point) => point.x > x.max)) return true;
    const least = y.options.min === undefined ? y.min : -Infinity;
    return newest.every(
      (point) => point.x >= x.min && point.x <= x.max && (point.y === null || (point.y >= least && point.y <= y.max)),
    );
  }

  redraw() {
    if (this.outgrown) super.redraw();
    else this.extend();
  }

  /** Draw only the new ends of the curves: drawing all of them takes ten times as long. */
  extend() {
    const from = this.drawn;
    if (!from || this.metrics.length <= FEW) {
      this.chart.draw();
      return;
    }
    for (const { controller } of this.chart.getSortedVisibleDatasetMetas()) controller.extend(from);
    this.drawn = this.metrics.length;
  }

  drawOver(chart) {
    if (this.spec.mark) vertical(chart, this.spec.mark.x, this.spec.mark.label);
    if (!this.spec.alone) drawMarks(chart);
    this.drawn = this.metrics.length;
  }

  /** The nearest point. */
  snap(x) {
    if (!this.spec.alone) return Math.max(1, Math.round(x));
    const near = (best, metric) =>
      Math.abs(this.spec.x(metric) - x) < Math.abs(best - x) ? this.spec.x(metric) : best;
    return this.metrics.length ? this.metrics.reduce(near, Infinity) : null;
  }

  showValues() {
    super.showValues();
    this.explain(); // an event may have been added at the crosshair
  }

  /** Show the events under the crosshair, on the chart under the pointer. */
  explain() {
    const epoch = this.pointer;
    const here =
      epoch !== null && !this.spec.alone && (this.element.matches(":hover") || document.activeElement === this.canvas);
    const near = here && this.chart ? marksNear(this.chart, epoch) : [];
    setDifferent(this.note, { hidden: !near.length });
    if (near.length)
      setChildren(
        this.note,
        near
          .slice(-3)
          .map((mark) => h("p", {}, h("strong", {}, t("epoch {epoch}", { epoch: mark.epoch })), ` ${mark.text}`)),
      );
  }

  /** The metric at a value of the axis; they are sorted. */
  at(x) {
    const metric = this.metrics[firstIndex(this.metrics, (item) => this.spec.x(item) >= x)];
    return metric && this.spec.x(metric) === x ? metric : null;
  }

  values() {
    const at = this.pointer !== null && this.at(this.pointer);
    const metric = at || (this.spec.alone ? null : this.metrics.at(-1));
    return this.series.map((line) => (metric ? steady(line.value(metric)) : ""));
  }

  along() {
    const { metrics, spec } = this;
    if (!metrics.length) return null;
    const [first, second] = [metrics[0], metrics[1] || metrics[0]].map(spec.x);
    /** @type {[number, number]} */
    const ends = [first, spec.x(metrics.at(-1))];
    return { ends, unit: spec.alone ? second - first : 1, describe: () => this.describePoint() };
  }

  describePoint() {
    const { chart, pointer, spec } = this;
    const metric = this.at(pointer);
    const values = this.series.map((line) => steady(metric ? line.value(metric) : null));
    const events = spec.alone ? [] : marksNear(chart, pointer).map(({ text }) => text);
    const where = spec.alone ? `${spec.xTitle} ${significant(pointer)}` : t("epoch {epoch}", { epoch: pointer });
    return [where, this.listValues(values), ...events].join(". ");
  }

  fileName() {
    return this.spec.name();
  }

  /** @returns {[string[], any[][]]} */
  table() {
    const { metrics, series, spec } = this;
    const rows = metrics.map((metric) => [spec.x(metric), ...series.map((line) => line.value(metric) ?? "")]);
    return [[spec.alone ? spec.xTitle : "epoch", ...series.map(({ label }) => label)], rows];
  }
}
