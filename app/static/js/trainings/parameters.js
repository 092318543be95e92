/* All parameters of a training, grouped, each with its documentation, its default and its range. Only changed ones are
   sent. */
import { get } from "../lib/api.js";
import { $, $$, failure, h, icon, setChildren, skeleton } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { fault } from "../ui/validity.js";

const SEPARATE_FIELDS = new Set(["device"]); // elsewhere in the form
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** A value in words. */
export function valueText(value) {
  if (value === null || value === undefined) return t("none");
  if (typeof value === "boolean") return value ? t("yes") : t("no");
  return typeof value === "number" ? number(value, 8) : String(value);
}

/** One parameter: its control and its value. */
class Parameter {
  constructor(spec, changed) {
    this.spec = spec;
    this.changed = changed;
    const { name, description } = spec;
    this.control = this.makeControl();
    this.error = h("p", {
      class: "field-error",
      "data-error": `params.${name}`,
      id: `params.${name}-error`,
      hidden: true,
    });
    this.undo = h(
      "button",
      {
        class: "icon-button",
        type: "button",
        hidden: true,
        title: t("Reset to default"),
        "aria-label": `${t("Reset to default")}: ${name}`,
        onclick: () => this.set(undefined),
      },
      icon("arrow-counterclockwise"),
    );
    this.element = h(
      "div",
      { class: "parameter", "data-parameter": name },
      h(
        "div",
        { class: "parameter-head" },
        h("label", { class: "parameter-name", for: `params.${name}` }, name),
        this.undo,
      ),
      this.control,
      h("p", { class: "field-help" }, description),
      h("p", { class: "parameter-facts" }, this.facts()),
      this.error,
    );
  }

  makeControl() {
    const { name, type, minimum, maximum, choices } = this.spec;
    const shared = {
      id: `params.${name}`,
      "data-param": name,
      "aria-describedby": `params.${name}-error`,
      oninput: () => this.show(),
    };
    const options = type === "boolean" ? [true, false] : choices;
    if (options) {
      return h(
        "select",
        { class: "form-select", ...shared },
        h("option", { value: "" }, t("default: {value}", { value: valueText(this.spec.default) })),
        options
          .filter((value) => !same(value, this.spec.default))
          .map((value) => h("option", { value: JSON.stringify(value) }, valueText(value))),
      );
    }
    const input = {
      class: "form-control tabular",
      ...shared,
      placeholder: valueText(this.spec.default),
      autocomplete: "off",
    };
    return type === "number" || type === "integer"
      ? h("input", { ...input, type: "number", min: minimum, max: maximum, step: type === "integer" ? 1 : "any" })
      : h("input", { ...input, type: "text" });
  }

  facts() {
    const { minimum, maximum, type } = this.spec;
    const range =
      minimum !== null && maximum !== null && minimum !== undefined
        ? t("{low} to {high}", { low: number(minimum, 8), high: number(maximum, 8) })
        : null;
    const chosen = this.control.tagName === "SELECT"; // its first choice is the default
    return [
      !chosen && t("default: {value}", { value: valueText(this.spec.default) }),
      range,
      type === "integer" && t("whole number"),
    ]
      .filter(Boolean)
      .join(" · ");
  }

  /** The changed value; undefined for the default. */
  get value() {
    const { value: text, tagName } = this.control;
    if (text.trim() === "") return undefined;
    if (tagName === "SELECT") return JSON.parse(text);
    const value = this.control.type === "number" ? Number(text) : text.trim();
    return same(value, this.spec.default) ? undefined : value;
  }

  set(value) {
    const { control } = this;
    if (value === undefined || same(value, this.spec.default)) control.value = "";
    else control.value = control.tagName === "SELECT" ? JSON.stringify(value) : value;
    this.show();
  }

  show() {
    const changed = this.value !== undefined;
    this.element.classList.toggle("is-changed", changed);
    this.undo.hidden = !changed;
    this.changed();
  }

  fits(words) {
    const text = `${this.spec.name} ${this.spec.description}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }
}

/** The form's section for parameters. `changed()` is called after each change. */
export class ParameterForm {
  constructor(panel, changed) {
    this.panel = panel;
    this.changed = changed;
    this.parameters = new Map();
    this.copied = {};
    this.task = null;
    this.loading = null;
    this.groups = $("[data-parameter-groups]", panel);
    panel.addEventListener("toggle", () => {
      if (panel.open) this.load();
    });
    const search = $("[data-parameter-search]", panel);
    search.addEventListener("input", () => this.filter());
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    }); // does not submit the form
    $("[data-parameter-changed]", panel).addEventListener("change", () => this.filter());
  }

  /** Load the documentation once, when the reader opens it or values are set. */
  load() {
    this.loading ??= this.read();
    return this.loading;
  }

  async read() {
    setChildren(this.groups, skeleton(6));
    try {
      const { parameters } = await get("/api/training-parameters");
      this.build(parameters.filter(({ name }) => !SEPARATE_FIELDS.has(name)));
    } catch (error) {
      setChildren(
        this.groups,
        failure(error, () => {
          this.loading = null;
          this.load();
        }),
      );
    }
  }

  build(specs) {
    const titles = new Map();
    for (const spec of specs) {
      this.parameters.set(spec.name, new Parameter(spec, () => this.count()));
      titles.set(spec.group, spec.group_title || spec.group);
    }
    setChildren(
      this.groups,
      [...titles].map(([group, title]) =>
        h(
          "section",
          { class: "parameter-group" },
          h("h3", {}, title),
          h(
            "div",
            { class: "parameters" },
            specs.filter((spec) => spec.group === group).map(({ name }) => this.parameters.get(name).element),
          ),
        ),
      ),
    );
    this.fill(this.copied);
  }

  /** Set values, for example of an earlier training; others get their default. */
  async set(values) {
    this.copied = values;
    if (Object.keys(values).some((name) => !SEPARATE_FIELDS.has(name))) await this.load();
    if (this.parameters.size) this.fill(values);
  }

  fill(values) {
    for (const [name, parameter] of this.parameters) parameter.set(values[name]);
    this.filter();
  }

  /** Those that differ from their default and apply to the task: {name: value}. */
  values() {
    const matches = [...this.parameters]
      .filter(([, parameter]) => this.fitsTask(parameter))
      .map(([name, parameter]) => [name, parameter.value]);
    return Object.fromEntries(matches.filter(([, value]) => value !== undefined));
  }

  fitsTask({ spec }) {
    return !this.task || !spec.tasks?.length || spec.tasks.includes(this.task);
  }

  /** Show those that match the task, the search and "only changed". */
  filter() {
    const words = $("[data-parameter-search]", this.panel).value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const changedOnly = $("[data-parameter-changed]", this.panel).checked;
    for (const parameter of this.parameters.values()) {
      parameter.element.hidden =
        !this.fitsTask(parameter) || !parameter.fits(words) || (changedOnly && parameter.value === undefined);
    }
    for (const group of $$(".parameter-group", this.groups)) group.hidden = !$(".parameter:not([hidden])", group);
    $("[data-parameter-none]", this.panel).hidden =
      !this.parameters.size || Boolean($(".parameter:not([hidden])", this.groups));
    this.count();
  }

  forTask(task) {
    if (task === this.task) return;
    this.task = task;
    this.filter();
  }

  count() {
    const changed = Object.keys(this.values()).length;
    const counter = $("[data-parameter-count]", this.panel);
    counter.hidden = !changed;
    counter.textContent = changed ? tn("{n} changed", "{n} changed", changed) : "";
    this.changed();
  }

  /** Controls with invalid values: [{field, message}]. */
  errors() {
    return [...this.parameters.values()]
      .filter((item) => this.fitsTask(item) && !item.control.validity.valid)
      .map(({ spec, control }) => ({ field: `params.${spec.name}`, message: fault(control) }));
  }

  /** Open the section with an error. */
  reveal(field) {
    const parameter = this.parameters.get(field.replace("params.", ""));
    if (!parameter) return;
    this.panel.open = true;
    parameter.element.hidden = false;
    parameter.control.focus();
  }
}
