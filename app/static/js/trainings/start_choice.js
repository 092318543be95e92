/* The initial weights of a new training: chosen automatically, official, none, or an earlier training's. */
import { get } from "../lib/api.js";
import { $, h, setChildren } from "../lib/dom.js";
import { fixed, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { MOST, Narrowed } from "../ui/narrow.js";
import { modelName } from "../ui/status.js";

const option = (item) => [
  item.id,
  [item.name, modelName(item), Number.isFinite(item.best?.map50) && `mAP50 ${fixed(item.best.map50)}`]
    .filter(Boolean)
    .join(" · "),
];

export class StartChoice {
  constructor(form) {
    this.form = form;
    this.training = form.elements.start_training;
    this.checkpoint = form.elements.start_checkpoint;
    this.wanted = null; // a training to be selected once the list is loaded
    for (const radio of form.elements.start) radio.addEventListener("change", () => this.show());
    this.narrowed = new Narrowed(
      this.training,
      $("[data-narrow=training]"),
      (text) => this.list(text),
      () => this.training.dispatchEvent(new Event("change", { bubbles: true })),
    );
    this.training.addEventListener("change", () => this.listCheckpoints());
  }

  get kind() {
    return this.form.elements.start.value;
  }

  show() {
    const earlier = this.kind === "training";
    $("[data-start-training]").hidden = !earlier;
    if (earlier) this.listing ??= this.listTrainings();
  }

  async listTrainings() {
    setChildren(this.training, h("option", { value: "" }, t("Loading…")));
    try {
      const matches = await this.list("");
      if (this.wanted && !matches.options.some(([id]) => id === this.wanted.id))
        matches.options.unshift(option(await get(`/api/trainings/${this.wanted.id}`)));
      this.narrowed.fill(matches, this.wanted?.id);
      if (!matches.options.length) setChildren(this.training, h("option", { value: "" }, t("No run has weights yet.")));
      await this.listCheckpoints(this.wanted?.checkpoint);
    } catch {
      this.listing = null;
      setChildren(this.training, h("option", { value: "" }, t("The list of runs couldn't be loaded.")));
    }
    this.form.dispatchEvent(new Event("input"));
  }

  /** The newest trainings with weights; with a text, of those whose name contains it. */
  async list(search) {
    const { models, total } = await get("/api/tests/models", { per_page: MOST, ...(search ? { search } : {}) });
    const options = models.filter((item) => item.downloadable).map(option);
    return { total: total - models.length + options.length, options };
  }

  /** Best and last always exist; single epochs if a copy was kept. */
  async listCheckpoints(preferred = "best") {
    const id = this.training.value;
    setChildren(
      this.checkpoint,
      h("option", { value: "best" }, t("best epoch")),
      h("option", { value: "last" }, t("last epoch")),
    );
    if (!id) return;
    try {
      const { checkpoints } = await get(`/api/trainings/${id}/checkpoints`);
      if (this.training.value !== id) return;
      const epochs = checkpoints.filter(({ resumable, periodic }) => resumable || periodic).map(({ epoch }) => epoch);
      this.checkpoint.append(
        ...epochs.map((epoch) => h("option", { value: epoch }, t("epoch {epoch}", { epoch: number(epoch) }))),
      );
      this.checkpoint.value = preferred;
    } catch {
      /* best and last remain */
    }
  }

  /** Set it from an earlier training: {kind, training_id, checkpoint}. */
  set(start) {
    const { kind = "auto", training_id: id, checkpoint = "best" } = start || {};
    this.form.elements.start.value = kind;
    this.wanted = kind === "training" ? { id, checkpoint } : null;
    this.show();
  }

  /** The value for the request; null for the default. */
  value() {
    if (this.kind !== "training") return this.kind === "auto" ? null : this.kind;
    const chosen = this.checkpoint.value;
    return { training_id: Number(this.training.value), checkpoint: /^\d+$/.test(chosen) ? Number(chosen) : chosen };
  }

  errors() {
    return this.kind === "training" && !this.training.value
      ? [{ field: "start", message: t("Choose a run with weights.") }]
      : [];
  }
}
