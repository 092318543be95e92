/* The charts of the overview, from the statistics of the revision. */
import { $, failure, h, setChildren, skeleton } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { SPLITS, splitName } from "../lib/vocabulary.js";
import { Bars } from "./bars.js";
import { ClassTable } from "./class_table.js";
import { coOccurrence, heatMap } from "./matrix.js";
import { className } from "./objects.js";

const MOST = 60; // classes in the chart; the table beside it has all
const ROW = 24; // px a class

export class Statistics {
  constructor(current, panel) {
    this.current = current;
    this.panel = panel;
    this.plots = [];
    this.table = new ClassTable(current, $("[data-classes]", panel));
  }

  async load() {
    if (!this.current.ready) {
      this.none();
      return;
    }
    const { revision } = this.current.data;
    if (this.revision === revision) return;
    try {
      const answer = await this.current.once("statistics");
      if (revision !== this.current.data.revision) return;
      this.revision = revision;
      this.draw(answer);
    } catch (error) {
      this.failed(error);
    }
  }

  clear() {
    for (const plot of this.plots) plot.end();
    this.plots = [];
  }

  /** Nothing was counted: the dataset is being validated, or nothing of it can be used. */
  none() {
    this.revision = null;
    this.clear();
    const text = this.current.busy ? t("The dataset check is counting the objects.") : t("No statistics.");
    setChildren($("[data-class-chart]", this.panel), h("section", { class: "panel panel-empty" }, text));
    this.table.show(null);
    setChildren($("[data-charts]", this.panel));
  }

  failed(error) {
    const again = () => {
      setChildren($("[data-charts]", this.panel));
      setChildren($("[data-class-chart]", this.panel), h("div", { class: "panel" }, skeleton(6)));
      this.load();
    };
    this.clear();
    this.revision = null;
    setChildren($("[data-class-chart]", this.panel), failure(error, again));
    this.table.show(null);
  }

  draw(answer) {
    this.clear();
    const name = `dataset-${this.current.id}`;
    this.table.show(answer.classes);
    const chart = answer.classes.length ? this.classes(answer, name) : null;
    setChildren(
      $("[data-class-chart]", this.panel),
      chart ? chart.element : h("section", { class: "panel panel-empty" }, t("No classes yet.")),
    );
    const plots = this.otherPlots(answer, name);
    setChildren(
      $("[data-charts]", this.panel),
      plots.map((plot) => plot.element),
    );
    this.plots = [chart, ...plots].filter(Boolean).map((plot) => plot.start());
  }

  classes({ classes }, name) {
    const visible = classes.slice(0, MOST);
    const classifies = this.current.data.task === "classify"; // a class belongs to an image
    const title = classifies ? t("Images per class and set") : t("Objects per class and set");
    return new Bars({
      title: classes.length > MOST ? t("{title} (first {n})", { title, n: number(MOST) }) : title,
      name: `${name}-classes`,
      first: "class",
      labels: visible.map((item) => className(this.current.classes, item.class)),
      flat: true,
      stacked: true,
      height: Math.max(150, visible.length * ROW + 40),
      series: SPLITS.map((split, index) => ({
        split,
        label: splitName(split),
        values: visible.map((item) => (classifies ? item.images : item.objects)[split] || 0),
        colour: index + 1,
      })).filter(({ split }) => this.current.data[`${split}_images`]),
    });
  }

  otherPlots(answer, name) {
    const objects = this.current.data.task !== "classify";
    const bars = (title, note, key, labels, values) =>
      new Bars({
        title,
        note,
        name: `${name}-${key}`,
        first: key,
        labels,
        share: true,
        series: [{ label: title, values, colour: 1 }],
      });
    const boxes = answer.box_sizes?.counts.some(Boolean);
    return [
      boxes &&
        bars(
          t("Object size (px)"),
          t("Square root of the area, in image pixels. YOLO can hardly detect objects under 8 px."),
          "box-sizes",
          ...bins(answer.box_sizes),
        ),
      boxes &&
        bars(
          t("Object aspect ratio"),
          t("1 is square, less is tall, more is wide."),
          "aspect-ratios",
          ...bins(answer.aspect_ratios),
        ),
      boxes && answer.heatmap && heatMap(answer.heatmap, name),
      objects &&
        answer.objects_per_image.counts.some(Boolean) &&
        bars(
          t("Objects per image"),
          t("Images by number of objects. 0 means background image."),
          "objects-per-image",
          ...bins(answer.objects_per_image),
        ),
      answer.image_sizes.length > 0 &&
        bars(
          t("Image sizes"),
          t("Most frequent sizes, width × height in px."),
          "image-sizes",
          ...sizes(answer.image_sizes),
        ),
      objects &&
        answer.co_occurrence.classes.length > 1 &&
        coOccurrence(answer.co_occurrence, this.current.classes, name),
    ].filter(Boolean);
  }
}

/** Names and counts of a histogram's bins without the empty ones at its ends: `counts[i]` is from `edges[i]` up to the
 *  next edge. */
function bins({ edges, counts }) {
  const filled = counts.flatMap((count, index) => (count ? [index] : []));
  const [first, end] = [filled[0] ?? 0, (filled.at(-1) ?? 0) + 1];
  return [
    counts.slice(first, end).map((_count, index) => span(edges[first + index], edges[first + index + 1])),
    counts.slice(first, end),
  ];
}

/** The name of a bin; the last one has no upper end. A bin of a single integer is shown as one number. */
function span(from, to) {
  const text = (value) => number(value, 2);
  if (to === null) return `≥ ${text(from)}`;
  return Number.isInteger(from) && to === from + 1 ? text(from) : `${text(from)}–${text(to)}`;
}

const SIZES = 10;

function sizes(list) {
  const [visible, rest] = [list.slice(0, SIZES), list.slice(SIZES)];
  const otherCount = rest.reduce((sum, item) => sum + item.count, 0);
  return [
    [...visible.map((item) => `${item.width}×${item.height}`), ...(otherCount ? [t("other")] : [])],
    [...visible.map((item) => item.count), ...(otherCount ? [otherCount] : [])],
  ];
}
