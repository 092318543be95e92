/* The filters of the shown detections: confidence, classes, labels. Changes are announced as `change`; a change of
   `iou` needs a request and is announced as `ask`. */
import { Emitter } from "../lib/emitter.js";
import { $, $$, h, setChildren, write } from "../lib/dom.js";
import { number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { choose, colour } from "./class_colours.js";

export const FLOOR = 0.001; // detections above this are requested, once; validation counts from here on, too

class Settings extends Emitter {
  hidden = new Set();
  counts = new Map();
  recommended = null;
  chosen = false;
  touched = false;
  two = false; // models are compared: one threshold for both

  /** Bind the controls of the page. */
  bind(form) {
    this.form = form;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", ({ target }) => {
      if (["confidence", "iou", "labels"].includes(target.name)) this.changed(target.name);
    });
    $("[data-all-classes]").addEventListener("click", () => this.all());
    this.values();
  }

  get confidence() {
    return Number(this.form.elements.confidence.value);
  }
  get iou() {
    return Number(this.form.elements.iou.value);
  }
  get labels() {
    return this.form.elements.labels.checked;
  }

  /** The threshold that is recommended or was chosen for the model, unless the reader has set another one; null:
   *  none. */
  recommend(confidence, chosen = false) {
    const { confidence: slider } = this.form.elements;
    this.recommended = confidence === null ? null : Number(confidence.toFixed(2));
    this.chosen = chosen;
    if (!this.touched) slider.value = this.recommended ?? slider.defaultValue; // never that of another model
    this.values();
    this.emit("change");
  }

  /** @param {boolean} two models are compared, or one is tried */
  compare(two) {
    this.two = two;
    this.values();
  }

  /** Reset to the recommended threshold. */
  useRecommended() {
    this.touched = false;
    this.recommend(this.recommended, this.chosen);
  }

  /** There is another model, with other classes. */
  forgetClasses() {
    this.counts.clear();
    this.hidden.clear();
    setChildren($("[data-classes]"));
    $("[data-classes-field]").hidden = true;
  }

  changed(name) {
    if (name === "confidence") this.touched = true;
    this.values();
    this.emit(name === "iou" ? "ask" : "change");
  }

  values() {
    for (const output of $$("[data-value]")) output.textContent = percent(this[output.dataset.value]);
    const container = $("[data-recommended]");
    const { recommended } = this;
    const same = recommended !== null && Math.abs(this.confidence - recommended) < 0.005;
    container.hidden = recommended === null;
    if (recommended === null) return;
    setChildren(
      container,
      same
        ? this.chosen
          ? this.two
            ? t("{value} was chosen for the first model.", { value: percent(recommended) })
            : t("{value} was chosen for this model.", { value: percent(recommended) })
          : this.two
            ? t("{value} is recommended for the first model.", { value: percent(recommended) })
            : t("{value} is recommended for this model.", { value: percent(recommended) })
        : h(
            "button",
            { class: "link-button", type: "button", onclick: () => this.useRecommended() },
            this.chosen
              ? t("Use the chosen {value}", { value: percent(recommended) })
              : t("Use the recommended {value}", { value: percent(recommended) }),
          ),
    );
  }

  /** Whether it passes the filters. The classes of a whole image are shown at any confidence. */
  shows(item) {
    return !this.hidden.has(item.class) && (item.top5 || item.confidence >= this.confidence);
  }

  visible(detections = []) {
    return detections.filter((item) => this.shows(item));
  }

  /** List the classes detected so far, each with its detections in the selected image.
   *  @param {any[][]} models the detections of each model: two are counted side by side */
  listClasses(...models) {
    const names = new Set([...this.counts.keys(), ...models.flat().map((item) => item.class)]);
    const counted = (item) => item.top5 || item.confidence >= this.confidence;
    for (const name of names)
      this.counts.set(
        name,
        models.map((items) => items.filter((item) => item.class === name && counted(item)).length),
      );
    const list = $("[data-classes]");
    $("[data-classes-field]").hidden = !this.counts.size;
    if (list.childElementCount !== this.counts.size)
      setChildren(
        list,
        [...this.counts.keys()].sort((a, b) => a.localeCompare(b)).map((name) => this.row(name)),
      );
    for (const row of list.children)
      write(
        $(".count", row),
        this.counts
          .get(row.dataset.class)
          .map((count) => number(count))
          .join(" · "),
      );
  }

  row(name) {
    const tick = h("input", {
      class: "form-check-input",
      type: "checkbox",
      checked: !this.hidden.has(name),
      onchange: () => this.toggle(name, tick.checked),
    });
    const dye = h("input", {
      class: "test-dye",
      type: "color",
      value: colour(name),
      "aria-label": t("Color of {name}", { name }),
      title: t("Color of {name}", { name }),
      oninput: () => {
        choose(name, dye.value);
        this.emit("change");
      },
    });
    return h(
      "li",
      { class: "test-class", "data-class": name },
      dye,
      h("label", { class: "test-class-name", title: name }, tick, h("span", { class: "class-text" }, name)),
      h("span", { class: "count" }),
    );
  }

  toggle(name, visible) {
    this.hidden[visible ? "delete" : "add"](name);
    this.emit("change");
  }

  /** Show all, or none if all are shown. */
  all() {
    const none = !this.hidden.size;
    this.hidden = new Set(none ? this.counts.keys() : []);
    for (const tick of $$("[data-classes] [type=checkbox]")) tick.checked = !none;
    this.emit("change");
  }
}

export const settings = new Settings();
