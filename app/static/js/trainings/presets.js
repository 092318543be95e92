/* Values for a dataset on this machine, by goal. A field that the reader has set, or is editing, keeps its value until
   a preset is chosen; the reason is shown beside each value. */
import { get } from "../lib/api.js";
import { $, $$, failure, h, icon, setChildren, skeleton, write } from "../lib/dom.js";
import { bytes, duration, number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";

const AGAIN_MS = 1000;
const SYMBOLS = { quick: "lightning-charge", balanced: "speedometer2", best: "trophy" };

export class Presets {
  /** `changed()` is called after values were set, and when they could not be loaded. */
  constructor(form, container, changed) {
    this.form = form;
    this.container = container;
    this.changed = changed;
    this.presets = [];
    this.answered = false; // until then the form's model is the server's default
    this.chosen = null;
    this.touched = new Set();
    this.turn = 0;
    form.addEventListener("input", ({ target }) => {
      if (target.name) this.touched.add(target.name);
    });
  }

  /** Load those of a dataset, for the run's initial weights: auto, official, scratch or training. */
  async load(dataset, start = "auto") {
    if (!dataset) return;
    const turn = ++this.turn;
    try {
      const { presets, recommended, facts } = await get(`/api/datasets/${dataset}/training-defaults`, { start });
      if (turn !== this.turn) return;
      this.answered = true;
      this.presets = presets;
      this.chosen = this.chosen || recommended;
      $("[data-preset-facts]").textContent = this.basis(facts);
      this.show();
      this.apply(false);
      if (presets.some(({ checking }) => checking))
        setTimeout(() => turn === this.turn && this.load(dataset, start), AGAIN_MS);
    } catch (error) {
      if (turn !== this.turn) return;
      this.answered = true;
      setChildren(
        this.container,
        failure(error, () => {
          setChildren(this.container, skeleton(2));
          this.load(dataset, start);
        }),
      );
      this.changed();
    }
  }

  /** The basis of the values. */
  basis({
    train_images: images,
    classes,
    picture_size: picture,
    small_object: small,
    device,
    device_name: name,
    memory,
    cores,
  }) {
    const machine =
      device === "cpu" ? tn("CPU with {n} core", "CPU with {n} cores", cores) : `${name}, ${bytes(memory)}`;
    return [
      tn("{n} training image", "{n} training images", images),
      tn("{n} class", "{n} classes", classes),
      picture && t("{size} px", { size: number(picture) }),
      small && t("{share} of objects: {size} px or more", { share: percent(0.9), size: number(small) }),
      machine,
    ]
      .filter(Boolean)
      .join(" · ");
  }

  /** The cards; existing ones get new values and stay, with the focus in them. */
  show() {
    const lines = $$(".preset-values", this.container);
    if (lines.length === this.presets.length) {
      this.presets.forEach((preset, index) => write(lines[index], this.valuesText(preset)));
      return;
    }
    setChildren(
      this.container,
      h(
        "div",
        { class: "presets", role: "radiogroup", "aria-label": t("Choose a preset") },
        this.presets.map(({ name, title, description, ...preset }) =>
          h(
            "label",
            { class: "preset" },
            h("input", {
              type: "radio",
              name: "preset",
              value: name,
              checked: name === this.chosen,
              onchange: () => {
                this.chosen = name;
                this.apply(true);
              },
            }),
            h("span", { class: "preset-title" }, icon(SYMBOLS[name] || "stars"), " ", title),
            h("span", { class: "preset-text" }, description),
            h("span", { class: "preset-values tabular" }, this.valuesText(preset)),
          ),
        ),
      ),
    );
  }

  /** Its values on one line. Epochs and time depend on the weights, and are shown once these are known. */
  valuesText({ values, scratch, checking, seconds }) {
    return [
      `YOLOv8${values.model_version}`,
      checking ? t("checking weights…") : tn("{n} epoch", "{n} epochs", values.epochs),
      `${number(values.img_size)} px`,
      scratch && t("from scratch"),
      !checking && seconds && t("about {time}", { time: duration(seconds) }),
    ]
      .filter(Boolean)
      .join(" · ");
  }

  get preset() {
    return this.presets.find(({ name }) => name === this.chosen);
  }

  /** Set the fields; `all`: also those that the reader has set or is editing. */
  apply(all) {
    if (!this.preset) return;
    if (all) this.touched.clear();
    // typed text would be appended to the set value
    const entered = all ? null : /** @type {HTMLInputElement} */ (document.activeElement)?.name;
    for (const [field, value] of Object.entries(this.preset.values))
      if (!this.touched.has(field) && field !== entered && !this.isOpen(field)) this.set(field, value);
    this.changed();
  }

  /** Whether the value of a field isn't known yet. */
  isOpen(field) {
    return field === "epochs" && this.preset.checking;
  }

  set(field, value) {
    this.form.elements[field].value = String(value);
    if (field === "model_version" && !this.touched.has("architecture")) this.form.elements.architecture.value = "";
    this.touched.delete(field);
  }

  /** Why a value is what it is, or what was proposed instead. */
  mark() {
    if (!this.preset) return;
    const { values, reasons } = this.preset;
    for (const { field, message } of reasons.filter((reason) => !this.isOpen(reason.field))) {
      const line = $(`[data-why="${field}"]`, this.form);
      const now = this.form.elements[field].value;
      const suggested = values[field] === undefined ? "" : String(values[field]);
      const same = now === suggested && !(field === "model_version" && this.form.elements.architecture.value);
      // it counts iterations
      const stale = field === "epochs" && this.form.elements.batch_size.value !== String(values.batch_size);
      const back = h(
        "button",
        {
          class: "link-button",
          type: "button",
          onclick: () => {
            this.set(field, suggested);
            this.changed();
          },
        },
        this.proposed(field, suggested),
      );
      setChildren(
        $("[data-why-text]", line) || line.appendChild(h("p", { "data-why-text": true })),
        same ? (stale ? [] : [icon("lightbulb"), ` ${message}`]) : back,
      );
      line.hidden = false;
    }
  }

  proposed(field, value) {
    if (value === "") return t("Reset to automatic");
    return t("Suggested: {value}", { value: field === "model_version" ? `YOLOv8${value}` : number(value) });
  }
}
