/* The AP of each class: its curve over the epochs, and a table of the latest epoch. */
import { Plot } from "../charts/plot.js";
import { $, h, longName, setChildren, write } from "../lib/dom.js";
import { fixed, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { precisionOf } from "./judging.js";
import { seriesOf } from "../ui/palette.js";
import { readPref, savePref } from "../lib/prefs.js";

const MOST = 6; // curves at once: as many as there are colours
const MEASURES = { ap50: "AP50", ap95: "AP50-95", precision: () => t("Precision"), recall: () => t("Recall") };
const measureName = (key) => (typeof MEASURES[key] === "string" ? MEASURES[key] : MEASURES[key]());

export class ClassesView {
  /** `panel` contains everything and stays hidden while it is empty; `name()` is the beginning of the downloads'
   *  names. */
  constructor(panel, name) {
    this.panel = panel;
    this.name = name;
    this.names = [];
    this.metrics = [];
    this.measure = readPref("classes.measure", "ap50");
    this.chosen = null;
    this.plot = null;
    this.pressed();
    for (const choice of panel.querySelectorAll("[data-measure]"))
      choice.addEventListener("click", () => this.measured(choice.dataset.measure));
  }

  measured(measure) {
    this.measure = measure;
    savePref("classes.measure", measure);
    this.pressed();
    this.redraw();
  }

  pressed() {
    for (const choice of this.panel.querySelectorAll("[data-measure]"))
      choice.setAttribute("aria-pressed", choice.dataset.measure === this.measure);
  }

  /** A classification has no AP: the recall of a class is its accuracy. */
  forTask(task) {
    const classify = (this.classify = task === "classify");
    for (const choice of this.panel.querySelectorAll("[data-measure]"))
      choice.hidden = classify && choice.dataset.measure.startsWith("ap");
    if (classify && this.measure.startsWith("ap")) {
      this.measure = "recall";
      this.pressed();
    }
  }

  /** The names in the order of their numbers. */
  named(names) {
    this.names = names;
    this.redraw();
  }

  /** Every epoch so far. */
  set(metrics) {
    this.metrics = metrics.filter((metric) => metric.classes?.length);
    this.panel.hidden = !this.metrics.length;
    if (!this.metrics.length) return;
    this.chosen ??= this.latest()
      .slice(0, MOST)
      .map((item) => item.class);
    if (this.plot) this.refresh();
    else this.redraw();
  }

  /** Add one epoch after the others. */
  push(metric) {
    if (!metric.classes?.length) return;
    if (!this.plot) {
      this.set([...this.metrics, metric]);
      return;
    }
    this.metrics.push(metric);
    this.plot.push(metric);
    this.table();
  }

  /** The classes of the latest epoch, those with most objects first. */
  latest() {
    return [...this.metrics.at(-1).classes].sort((a, b) => b.instances - a.instances || a.class - b.class);
  }

  label(index) {
    return this.names[index] ?? t("class {number}", { number: index });
  }

  /** The curves have changed: the chart is created again. */
  redraw() {
    if (!this.metrics.length) return;
    this.plot?.end();
    const colours = seriesOf(this.chosen);
    const value = (index) => (metric) => metric.classes.find((item) => item.class === index)?.[this.measure];
    this.plot = new Plot({
      title: t("{metric} per class", { metric: measureName(this.measure) }),
      key: "classes",
      name: () => `${this.name()}-classes`,
      min: 0,
      max: 1,
      series: this.chosen.map((index) => ({
        label: this.label(index),
        value: value(index),
        colour: colours.get(index),
      })),
    });
    setChildren($("[data-class-chart]", this.panel), this.plot.element);
    this.plot.start();
    this.refresh();
  }

  refresh() {
    this.plot.set(this.metrics);
    this.table();
  }

  /** Rebuilt when the classes or their order have changed, otherwise filled in place, so that an open page is not
   *  rebuilt each epoch. */
  table() {
    const items = this.latest();
    const rendered = JSON.stringify([items.map((item) => [item.class, this.label(item.class)]), this.chosen]);
    if (rendered !== this.rendered) {
      this.rendered = rendered;
      const colours = seriesOf(this.chosen);
      this.rows = items.map((item) => this.row(item, colours.get(item.class)));
      const head = [
        t("Class"),
        this.classify ? t("Images") : t("Objects"),
        ...(this.classify ? [] : ["AP50", "AP50-95"]),
        t("Precision"),
        t("Recall"),
      ];
      setChildren(
        $("[data-class-table]", this.panel),
        h(
          "table",
          { class: "list is-tight" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              head.map((text, index) => h("th", { scope: "col", class: index ? "number" : null }, text)),
            ),
          ),
          h(
            "tbody",
            {},
            this.rows.map(({ element }) => element),
          ),
        ),
      );
    }
    items.forEach((item, index) => {
      const texts = [
        number(item.instances),
        ...(this.classify ? [] : [fixed(item.ap50), fixed(item.ap95)]),
        fixed(precisionOf(item)),
        fixed(item.recall),
      ];
      this.rows[index].cells.forEach((cell, column) => write(cell, texts[column]));
    });
  }

  row(item, colour) {
    const box = h("input", {
      class: "form-check-input",
      type: "checkbox",
      checked: Boolean(colour),
      disabled: !colour && this.chosen.length >= MOST,
      onchange: () => this.toggle(item.class),
    });
    const name = this.label(item.class);
    const cells = Array.from({ length: this.classify ? 3 : 5 }, () => h("td", { class: "number" }));
    const element = h(
      "tr",
      { "data-class": item.class },
      h(
        "td",
        {},
        h(
          "label",
          { class: "class-name", title: name },
          box,
          h("span", { class: "key-line", style: { color: colour ? `var(--series-${colour})` : "transparent" } }),
          h("span", { class: "class-text" }, longName(name)),
        ),
      ),
      cells,
    );
    return { element, cells };
  }

  toggle(index) {
    this.chosen = this.chosen.includes(index) ? this.chosen.filter((item) => item !== index) : [...this.chosen, index];
    this.redraw();
    $(`[data-class="${index}"] input`, this.panel)?.focus();
  }
}
