/* Whether the pretrained weights of the chosen model are available, shown on the form before anything starts. */
import { get } from "../lib/api.js";
import { $, h, icon, setChildren } from "../lib/dom.js";
import { bytes } from "../lib/format.js";

const AGAIN_MS = 1500;
const CLASSES = {
  cached: "check-circle",
  available: "cloud-download",
  unavailable: "exclamation-triangle-fill",
  checking: "hourglass",
};

export class WeightsStatus {
  /** `onStatus(state)` is called with the status of a model, and `before`, the previous one. */
  constructor(form, onStatus) {
    this.form = form;
    this.onStatus = onStatus;
    this.model = null;
    this.state = null;
    this.container = $("[data-weights]");
  }

  get unavailable() {
    return this.state?.state === "unavailable";
  }

  /** The chosen model; requested once. */
  show(model) {
    if (model === this.model) return;
    this.model = model;
    this.state = null;
    setChildren(this.container);
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
      else this.onStatus(late);
    } catch {
      setChildren(this.container);
    } // the run reports it
  }

  draw() {
    const { state, message, size_bytes: size } = this.state;
    this.container.className = `weights-status field-help ${this.unavailable ? "is-warning" : ""}`;
    setChildren(
      this.container,
      icon(CLASSES[state]),
      h("span", {}, message, state === "available" && size ? ` (${bytes(size)})` : null),
    );
    const official = [...this.form.elements.start].find(({ value }) => value === "official");
    official.disabled = this.unavailable && !official.checked;
  }
}
