/* The selected rows, across all pages of the list, and the bar with their actions. */
import { actionsOf } from "../lib/access.js";
import { compareAll, deleteAll, pauseAll, stopAll } from "../trainings/bulk.js";
import { button, h, setChildren } from "../lib/dom.js";
import { t, tn } from "../lib/i18n.js";

const MOST_COMPARED = 10;

export class Selection {
  /** `bar` is hidden while nothing is selected; `list` contains the table; `changed()` is called after an action. */
  constructor(bar, list, changed) {
    this.bar = bar;
    this.list = list;
    this.changed = changed;
    this.chosen = new Map();
  }

  has(id) {
    return this.chosen.has(id);
  }

  box(training) {
    return h(
      "label",
      { class: "pick-box" },
      h("input", {
        class: "form-check-input",
        type: "checkbox",
        "data-pick": training.id,
        checked: this.has(training.id),
        "aria-label": t("Select {name}", { name: training.name }),
        onchange: ({ target }) => this.pick([training], target.checked),
      }),
    );
  }

  boxForAll(trainings) {
    const all = trainings.length > 0 && trainings.every(({ id }) => this.has(id));
    return h(
      "label",
      { class: "pick-box" },
      h("input", {
        class: "form-check-input",
        type: "checkbox",
        "data-pick-all": true,
        checked: all,
        "aria-label": t("Select all on this page"),
        onchange: ({ target }) => this.pick(trainings, target.checked),
      }),
    );
  }

  pick(trainings, on) {
    for (const training of trainings)
      if (on) this.chosen.set(training.id, training);
      else this.chosen.delete(training.id);
    this.show();
  }

  /** Newer data of rows that may be selected. */
  refresh(trainings) {
    for (const training of trainings) if (this.has(training.id)) this.chosen.set(training.id, training);
    this.show();
  }

  clear() {
    this.chosen.clear();
    this.show();
  }

  show() {
    const boxes = [...this.list.querySelectorAll("[data-pick]")];
    for (const box of boxes) {
      box.checked = this.has(Number(box.dataset.pick));
      box.closest("tr").classList.toggle("is-chosen", box.checked);
    }
    const all = this.list.querySelector("[data-pick-all]");
    if (all)
      Object.assign(all, {
        checked: boxes.length > 0 && boxes.every((box) => box.checked),
        indeterminate: boxes.some((box) => box.checked) && !boxes.every((box) => box.checked),
      });
    this.bar.hidden = !this.chosen.size;
    if (this.chosen.size)
      setChildren(
        this.bar,
        h("strong", { class: "tabular", role: "status" }, tn("{n} selected", "{n} selected", this.chosen.size)),
        h("div", { class: "bulk-actions" }, this.actions()),
      );
  }

  actions() {
    const trainings = [...this.chosen.values()];
    const able = (name) => trainings.filter((training) => actionsOf(training).includes(name));
    const finish = async () => {
      this.clear();
      await this.changed();
    };
    const compare = button("layers", t("Compare"), () => compareAll(trainings), "btn-primary btn-sm");
    const [few, many] = [trainings.length < 2, trainings.length > MOST_COMPARED];
    compare.disabled = few || many;
    compare.title = few
      ? t("Select one more run to compare.")
      : many
        ? tn("You can compare up to {n} run.", "You can compare up to {n} runs.", MOST_COMPARED)
        : "";
    const item = (symbol, label, name, act, className = "btn-outline btn-sm") => {
      const fitting = able(name);
      return (
        fitting.length > 0 &&
        button(
          symbol,
          fitting.length < trainings.length ? `${label} (${fitting.length})` : label,
          () => act(fitting, finish),
          className,
        )
      );
    };
    return [
      compare,
      item("pause-fill", t("Pause"), "pause", pauseAll),
      item("stop-fill", t("Stop"), "stop", stopAll, "btn-outline btn-sm btn-danger-quiet"),
      item("trash3", t("Delete"), "delete", deleteAll, "btn-outline btn-sm btn-danger-quiet"),
      h(
        "button",
        { class: "btn btn-outline btn-sm", type: "button", onclick: () => this.clear() },
        t("Clear selection"),
      ),
    ].filter(Boolean);
  }
}
