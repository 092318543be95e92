/* Warnings about the form's values, from the server's rules: beside the field, with a suggested change. */
import { post } from "../lib/api.js";
import { $, $$, h, icon, setChildren } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";

const WAIT_MS = 350;

/** The values that warnings depend on: not the name. */
const subject = (body) => JSON.stringify({ ...body, name: undefined });

export class Unusual {
  /** `payload()` is the body that would be sent; `changed()` is called after a value was set; `wrong()`: the form has
   *  errors. */
  constructor(form, payload, changed, wrong) {
    this.form = form;
    this.payload = payload;
    this.changed = changed;
    this.wrong = wrong;
    this.checked = null;
    this.turn = 0;
    this.timer = null;
  }

  /** Warnings about other values are hidden at once, even before the response arrives. */
  soon() {
    clearTimeout(this.timer);
    if (this.checked !== null && subject(this.payload()) !== this.checked) {
      this.checked = null;
      this.turn++;
      this.show([]);
    }
    this.timer = setTimeout(() => this.ask(), WAIT_MS);
  }

  async ask() {
    const body = this.payload();
    const text = subject(body);
    if (!body.dataset_id || text === this.checked || this.wrong()) return; // errors are shown by the form itself
    this.checked = text;
    const turn = ++this.turn;
    try {
      const { warnings } = await post("/api/trainings/check", body);
      if (turn === this.turn) this.show(warnings);
    } catch {
      // what the server refuses is shown when the form is sent
      if (turn === this.turn) this.show([]);
    }
  }

  show(warnings) {
    for (const line of $$("[data-why]", this.form)) {
      const matching = warnings.filter(({ field }) => field === line.dataset.why);
      setChildren(
        $("[data-unusual]", line) || line.appendChild(h("div", { "data-unusual": true, role: "status" })),
        matching.map((warning) => this.entry(warning)),
      );
      if (matching.length) line.hidden = false;
    }
    const count = $("[data-unusual-count]");
    count.hidden = !warnings.length;
    setChildren(
      count,
      icon("exclamation-triangle-fill"),
      " ",
      tn(
        "{n} unusual value: see the note next to the field. You can start anyway.",
        "{n} unusual values: see the notes next to the fields. You can start anyway.",
        warnings.length,
      ),
    );
  }

  entry({ message, change }) {
    const label =
      change &&
      (typeof change.value === "number"
        ? t("Use {value}", { value: number(change.value, 6) })
        : t("Use {value}", { value: `YOLOv8${change.value}` }));
    return h(
      "p",
      { class: "unusual" },
      icon("exclamation-triangle-fill"),
      h(
        "span",
        {},
        message,
        " ",
        change && h("button", { class: "link-button", type: "button", onclick: () => this.use(change) }, label),
      ),
    );
  }

  use({ field, value }) {
    const control = this.form.elements[field];
    control.value = String(value);
    if (field === "model_version") this.form.elements.architecture.value = "";
    const input = control.dispatchEvent ? control : $(`[name="${field}"]:checked`, this.form);
    input?.dispatchEvent(new Event("input", { bubbles: true }));
    this.changed();
  }
}
