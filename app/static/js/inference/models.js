/* The choice of a model: a training, searched on the server, and one of its checkpoints. */
import { Emitter } from "../lib/emitter.js";
import { get } from "../lib/api.js";
import { $, h, icon, setChildren } from "../lib/dom.js";
import { ago, fixed, number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { isUploaded, modelName } from "../ui/status.js";
import { introduce } from "./class_colours.js";

const PER_PAGE = 20;

/** Event `change` when another model or checkpoint is chosen. */
export class ModelPicker extends Emitter {
  /** `root` has an input, a list, a select and a help line; `side` is "a" or "b". */
  constructor(root, side) {
    super();
    this.root = root;
    this.side = side;
    this.training = null;
    this.confidence = null;
    this.chosen = false; // whether the confidence was chosen by a user, not computed
    this.ready = false;
    this.options = [];
    this.active = -1;
    this.turn = 0;
    this.input = $("[role=combobox]", root);
    this.list = $("[role=listbox]", root);
    this.select = $("select", root);
    this.input.addEventListener("focus", () => this.input.select());
    this.input.addEventListener("click", () => this.open());
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.search(this.input.value.trim()), 200);
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => this.close());
    this.list.addEventListener("mousedown", (event) => event.preventDefault()); // keeps the focus in the input
    this.select.addEventListener("change", () => this.emit("change"));
  }

  /** The parameters of requests: {training_id} and {checkpoint}, null for the best one available. */
  get selection() {
    return { training_id: this.training.id, checkpoint: this.select.value || null };
  }

  get name() {
    const chosen = this.select.selectedOptions[0]?.textContent;
    return [this.training?.name, this.select.value && chosen].filter(Boolean).join(" · ");
  }

  /** A key that is equal for the same model, checkpoint included. */
  get modelKey() {
    return `${this.training?.id}:${this.select.value}`;
  }

  async open() {
    if (this.list.hidden) await this.search("");
  }

  async search(text) {
    const turn = ++this.turn;
    try {
      const answer = await get("/api/tests/models", { search: text, per_page: PER_PAGE });
      if (turn === this.turn && document.activeElement === this.input) this.show(answer);
    } catch (error) {
      if (turn === this.turn) this.note(error.title);
    }
  }

  show({ models, total }) {
    this.options = models.filter((item) => item.downloadable);
    setChildren(
      this.list,
      this.options.map((item, index) => this.option(item, index)),
      !this.options.length && h("li", { class: "test-more", role: "presentation" }, t("No model matches this name.")),
      total > models.length &&
        h(
          "li",
          { class: "test-more", role: "presentation" },
          tn("{n} more: type to search", "{n} more: type to search", total - models.length),
        ),
    );
    this.expand(true);
    this.move(
      Math.max(
        0,
        this.options.findIndex(({ id }) => id === this.training?.id),
      ),
    );
  }

  note(text) {
    setChildren(this.list, h("li", { class: "test-more", role: "presentation" }, text));
    this.options = [];
    this.expand(true);
  }

  option(item, index) {
    const figures = [
      modelName(item),
      item.dataset_name,
      Number.isFinite(item.best?.map50) && `mAP50 ${fixed(item.best.map50)}`,
      ago(item.created_at),
    ]
      .filter(Boolean)
      .join(" · ");
    return h(
      "li",
      {
        class: "test-option",
        role: "option",
        id: `${this.list.id}-${index}`,
        "aria-selected": "false",
        onclick: () => this.choose(item),
      },
      h("strong", {}, item.name),
      h("span", { class: "under" }, figures),
    );
  }

  expand(is) {
    this.list.hidden = !is;
    this.input.setAttribute("aria-expanded", is);
  }

  move(index) {
    this.active = this.options.length ? (index + this.options.length) % this.options.length : -1;
    this.options.forEach((_item, at) => this.list.children[at].setAttribute("aria-selected", at === this.active));
    const chosen = this.list.children[this.active];
    if (!chosen || this.active < 0) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    this.input.setAttribute("aria-activedescendant", chosen.id);
    chosen.scrollIntoView({ block: "nearest" });
  }

  async key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (steps[event.key]) {
      event.preventDefault();
      if (this.list.hidden) await this.open();
      else this.move(this.active + steps[event.key]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!this.list.hidden && this.options[this.active]) this.choose(this.options[this.active]);
    } else if (event.key === "Escape") this.close();
  }

  close() {
    this.turn += 1;
    clearTimeout(this.timer);
    this.expand(false);
    this.input.value = this.training?.name || "";
  }

  /** Select a training; `checkpoint`: "best", "last" or an epoch if it exists. */
  async choose(training, checkpoint = "") {
    this.training = training;
    this.ready = false;
    this.close();
    setChildren(this.select, h("option", { value: "" }, t("Best")));
    this.help();
    await Promise.all([this.checkpoints(training, checkpoint), this.classes(training), this.advised(training)]);
    if (this.training !== training) return;
    this.ready = true;
    this.emit("change");
  }

  async classes({ dataset_id: id }) {
    try {
      introduce((await get(`/api/datasets/${id}`)).classes);
    } catch {
      /* colours in the order of detection */
    }
  }

  /** The confidence threshold chosen for the model, otherwise the one recommended on its page for its best weights;
   *  null if there is none. */
  async advised({ id, status, thresholds }) {
    this.confidence = thresholds?.confidence ?? null;
    this.chosen = this.confidence !== null; // on the page of an evaluation
    if (this.chosen) return;
    if (!["completed", "failed", "cancelled"].includes(status)) return;
    const verdict = await get(`/api/trainings/${id}/verdict`).catch(() => null);
    if (this.training.id === id) this.confidence = verdict?.confidence ?? null;
  }

  /** Of the present selection: an earlier checkpoint has no recommendation; a chosen threshold applies to the whole
   *  run. */
  get recommended() {
    return this.chosen || ["", "best"].includes(this.select.value) ? (this.confidence ?? null) : null;
  }

  async checkpoints(training, preferred) {
    let checkpoints = [];
    try {
      ({ checkpoints } = await get(`/api/trainings/${training.id}/checkpoints`));
    } catch {
      /* the best remains */
    }
    if (this.training !== training) return;
    const best = checkpoints.find((item) => item.is_best);
    const periodic = new Map(checkpoints.filter((item) => !item.is_best).map((item) => [item.epoch, item]));
    setChildren(
      this.select,
      h("option", { value: best ? "best" : "" }, best ? label(bestText(training, best), best) : t("Best")),
      periodic.size > 0 && h("option", { value: "last" }, t("Last")),
      [...periodic.values()].map((item) =>
        h("option", { value: String(item.epoch) }, label(t("Epoch {epoch}", { epoch: number(item.epoch) }), item)),
      ),
    );
    if (preferred && [...this.select.options].some(({ value }) => value === preferred)) this.select.value = preferred;
    this.select.disabled = this.select.options.length < 2;
  }

  help() {
    const { training } = this;
    $("[data-checkpoint-label]", this.root).textContent = checkpointLabel(training);
    setChildren(
      $("[data-model-help]", this.root),
      h("a", { href: `/trainings/${training.id}` }, modelName(training)),
      " · ",
      h("a", { href: `/datasets/${training.dataset_id}`, title: training.dataset_name }, training.dataset_name),
      training.status === "running" && [" · ", icon("play-circle-fill"), " ", t("in progress")],
    );
  }
}

/** @type {(text: string, answer: {metrics?: {map50?: number}}) => string} */
const label = (text, { metrics = {} }) => (Number.isFinite(metrics.map50) ? `${text} · ${fixed(metrics.map50)}` : text);

/** The label of the list of checkpoints: weights trained elsewhere have no epochs with an mAP50. */
export function checkpointLabel(training) {
  if (isUploaded(training)) return t("Weights");
  return training.task === "classify" ? t("Checkpoint") : t("Checkpoint and mAP50");
}

/** The label of the best checkpoint; the epoch of weights trained elsewhere is unknown. */
export const bestText = (training, { epoch }) =>
  isUploaded(training) ? t("trained elsewhere") : t("Best: epoch {epoch}", { epoch: number(epoch) });

/** The model named in the address, otherwise the one to try first: the newest completed one that learned something. */
export async function firstModel() {
  const query = new URLSearchParams(window.location.search);
  const { models, default: usual } = await get("/api/tests/models", { per_page: PER_PAGE });
  const named = query.get("training_id");
  let training = models.find((item) => item.downloadable && String(item.id) === named);
  if (named && !training) training = await get(`/api/trainings/${named}`).catch(() => null);
  const usable = training?.downloadable;
  return {
    training: usable ? training : usual,
    checkpoint: usable ? query.get("checkpoint") || "" : "",
    missing: Boolean(named && !usable),
  };
}

/** Another model to compare with: the newest completed one of the same task, of the same dataset if there is one; null
 *  if there is none. */
export async function rivalOf({ id, task, dataset_id: dataset }) {
  const { models } = await get("/api/tests/models", { per_page: PER_PAGE });
  const alternatives = models.filter(
    (item) =>
      item.downloadable &&
      item.id !== id &&
      item.task === task &&
      item.status === "completed" &&
      item.level !== "nothing",
  );
  return alternatives.find((item) => item.dataset_id === dataset) || alternatives[0] || null;
}
