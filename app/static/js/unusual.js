/* What is unusual about the values of the form, as the server's rules see it: beside the field, with a way to change it. */
import { post } from "./api.js";
import { $, $$, h, icon, put } from "./dom.js";
import { number } from "./format.js";
import { t, tn } from "./i18n.js";

const WAIT_MS = 350;

export class Unusual {
  /** `payload()` is what would be sent; `changed()` is called after a value was set; `wrong()`: the form has errors. */
  constructor(form, payload, changed, wrong) {
    Object.assign(this, { form, payload, changed, wrong, asked: null, turn: 0, timer: null });
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), WAIT_MS);
  }

  async ask() {
    const body = this.payload();
    const text = JSON.stringify(body);
    if (!body.dataset_id || text === this.asked || this.wrong()) return; // what is wrong is told by the form itself
    this.asked = text;
    const turn = ++this.turn;
    try {
      const { warnings } = await post("/api/trainings/check", body);
      if (turn === this.turn) this.show(warnings);
    } catch { // what the server refuses is told when the form is sent
      if (turn === this.turn) this.show([]);
    }
  }

  show(warnings) {
    for (const place of $$("[data-why]", this.form)) {
      const own = warnings.filter(({ field }) => field === place.dataset.why);
      put($("[data-unusual]", place) || place.appendChild(h("div", { "data-unusual": true, role: "status" })), own.map((warning) => this.entry(warning)));
      if (own.length) place.hidden = false;
    }
    const count = $("[data-unusual-count]");
    count.hidden = !warnings.length;
    put(count, icon("exclamation-triangle-fill"), " ", tn("{n} unusual value: see the note next to the field. You can start anyway.", "{n} unusual values: see the notes next to the fields. You can start anyway.", warnings.length));
  }

  entry({ message, change }) {
    const label = change && (typeof change.value === "number" ? t("Use {value}", { value: number(change.value, 6) }) : t("Use {value}", { value: `YOLOv8${change.value}` }));
    return h("p", { class: "unusual" }, icon("exclamation-triangle-fill"), h("span", {}, message, " ", change && h("button", { class: "link-button", type: "button", onclick: () => this.use(change) }, label)));
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
