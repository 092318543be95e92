/* Charts that overlay one metric of several trainings, by epoch or by time, with a shared crosshair. */
import { longName } from "../lib/dom.js";
import { duration, number, steady } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { Crosshair } from "./crosshair.js";
import { LineChart } from "./line_chart.js";
import { newDataset } from "./line_look.js";
import { lastUpTo } from "./polyline.js";
import { Average, smoothing } from "./smoothing.js";

const shared = new Crosshair(); // epochs or seconds

// Each run has a colour and, from the seventh on, also a dash: six colours can be distinguished, ten cannot.
export const colourOf = (slot) => `--series-${(slot % 6) + 1}`;
export const isDashed = (slot) => slot >= 6;

/** A compared training: `slot` gives its colour, `curves` has an array for `epoch`, `time` and each metric; `active`:
 * more may come.
 *  @typedef {{id: number, name: string, slot: number, active: boolean, curves: Record<string, (number | null)[]>}} Run
 */

export class Overlay extends LineChart {
  /** @param {{key: string, title: string, min?: number, max?: number}} spec of one metric */
  constructor(spec, axis) {
    super(
      {
        ...spec,
        wait: t("No values yet."),
        legend: "is-runs",
        xTick: (value) => (this.axis === "time" ? duration(value) : Number.isInteger(value) ? number(value) : null),
        top: 8,
      },
      shared,
    );
    this.axis = axis; // "epoch" or "time"
    /** @type {Run[]} */
    this.runs = [];
    this.hidden = new Set(); // ids
  }

  /** @param {Run[]} runs @param {string} axis */
  show(runs, axis) {
    if (axis !== this.axis) shared.moveTo(null); // a position on the other axis
    const sameLines = String(runs.map(styleKey)) === String(this.runs.map(styleKey));
    this.axis = axis;
    this.runs = runs;
    if (!sameLines) this.replaceLines();
    this.refill();
  }

  replaceLines() {
    const lines = this.lines();
    const datasets = this.runs.map(({ id }, index) => ({
      ...newDataset(lines[index], true),
      hidden: this.hidden.has(id),
    }));
    this.datasets.splice(0, Infinity, ...datasets);
    this.showKeys(
      (index) => this.toggle(index),
      (index) => this.hidden.has(this.runs[index].id),
      longName,
    );
  }

  lines() {
    return this.runs.map(({ name, slot }) => ({ label: name, colour: colourOf(slot), dashed: isDashed(slot) }));
  }

  toggle(index) {
    const { id } = this.runs[index];
    const visible = this.hidden.delete(id) || !this.hidden.add(id);
    if (this.chart) this.chart.setDatasetVisibility(index, visible);
    else this.datasets[index].hidden = !visible;
    this.changed();
  }

  /** Points of one run, with the reader's smoothing. @param {Run} run @returns {Point[]} */
  points({ curves }) {
    const average = new Average(smoothing.weight);
    const values = curves[this.spec.key];
    return curves[this.axis]
      .map((x, index) => ({ x, y: smoothing.weight ? average.next(values[index]) : values[index] }))
      .filter(({ y }) => y !== null && y !== undefined);
  }

  refill() {
    this.options.scales.x.min = this.axis === "epoch" ? 1 : 0;
    this.unzoom();
    this.runs.forEach((run, index) => {
      this.datasets[index].data = this.points(run);
    });
    this.wait.hidden = this.datasets.some(({ data }) => data.length);
    this.wait.textContent = this.runs.some(({ active }) => active) ? t("No values yet.") : t("No values");
    this.recolour();
    this.changed();
  }

  /** On the time axis it may be between two epochs. */
  snap(x) {
    return this.axis === "time" ? x : Math.max(1, Math.round(x));
  }

  along() {
    const ends = this.datasets.flatMap(({ data }) => (data.length ? [data[0].x, data.at(-1).x] : []));
    if (!ends.length) return null;
    const [first, last] = [Math.min(...ends), Math.max(...ends)];
    const where = (x) => (this.axis === "time" ? duration(x) : t("epoch {epoch}", { epoch: x }));
    /** @type {[number, number]} */
    const both = [first, last];
    return {
      ends: both,
      unit: this.axis === "time" ? (last - first) / 100 : 1,
      describe: (x) => `${where(x)}. ${this.listValues(this.values())}`,
    };
  }

  /** The values under the crosshair: of the last epoch that had ended there. */
  values() {
    return this.datasets.map(({ data }) => {
      const at = this.pointer === null ? data.at(-1) : lastUpTo(data, this.pointer);
      return at ? steady(at.y) : "";
    });
  }

  fileName() {
    return `compare-${this.runs.map(({ id }) => id).join("-")}-${this.spec.key}`;
  }

  /** The unsmoothed values, one row each. @returns {[string[], any[][]]} */
  table() {
    const rows = this.runs.flatMap(({ id, name, curves }) =>
      curves.epoch.map((epoch, index) => [id, name, epoch, curves.time[index], curves[this.spec.key][index]]),
    );
    return [["training", "name", "epoch", "seconds", this.spec.key], rows];
  }
}

const styleKey = ({ id, name, slot }) => JSON.stringify([id, name, slot]);
