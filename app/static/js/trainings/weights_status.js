/* Whether the pretrained weights of the chosen model can be had, said on the form before anything starts. */
import { get } from "../lib/api.js";
import { $, h, icon, put } from "../lib/dom.js";
import { bytes } from "../lib/format.js";

const AGAIN_MS = 1500;
const LOOKS = {
  cached: "check-circle",
  available: "cloud-download",
  unavailable: "exclamation-triangle-fill",
  checking: "hourglass",
};

export class WeightsStatus {
  /** `known(state)` is called when it is known of a model, with `before`, what was known of it until then. */
  constructor(form, known) {
    this.form = form;
    this.known = known;
    this.model = null;
    this.state = null;
    this.container = $("[data-weights]");
  }

  get unavailable() {
    return this.state?.state === "unavailable";
  }

  /** The model that is chosen now; asked once. */
  show(model) {
    if (model === this.model) return;
    this.model = model;
    this.state = null;
    put(this.container);
    this.ask(model);
  }

  async ask(model) {
    try {
      const status = await get("/api/weights", { model });
      if (model !== this.model) return;
      const late = this.state?.state === "checking";
      this.state = status;
      this.draw();
      if (status.state === "checking") setTimeout(() => this.ask(model), AGAIN_MS);
      else this.known(late);
    } catch {
      put(this.container);
    } // the run tells it
  }

  draw() {
    const { state, message, size_bytes: size } = this.state;
    this.container.className = `weights-status field-help ${this.unavailable ? "is-warning" : ""}`;
    put(
      this.container,
      icon(LOOKS[state]),
      h("span", {}, message, state === "available" && size ? ` (${bytes(size)})` : null),
    );
    const official = [...this.form.elements.start].find(({ value }) => value === "official");
    official.disabled = this.unavailable && !official.checked;
  }
}
