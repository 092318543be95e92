/* The evaluations of a run: their list, and starting one on any split, with classes mapped for another dataset. */
import { ApiError, get, newKey, post } from "../lib/api.js";
import { $, ask, fillFrom, h, setChildren } from "../lib/dom.js";
import { ago, fixed, isNumber, number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { datasetLink } from "../ui/dataset_link.js";
import { badge } from "../ui/status.js";
import { checkpointText, splitText, verdictText } from "./evaluated.js";

const ASK_MS = 2000;
const ASK_WAITING_MS = 10_000; // for those that are queued behind trainings
const NEW_MS = 60_000; // may start immediately
const DATASETS = 100;

export class EvaluationsView {
  /** `panel` stays hidden until the run has weights. */
  constructor(panel, id) {
    this.panel = panel;
    this.id = id;
    this.timer = null;
    $("[data-evaluate]", panel).addEventListener("click", () => this.start());
  }

  show(training) {
    const before = this.training;
    const changed = before?.status !== training.status;
    this.training = training;
    const visible = training.downloadable && !training.deleted_at;
    if (visible && (this.panel.hidden || changed)) this.load();
    if (visible && changed) this.follow(before ? Date.now() + NEW_MS : 0);
    this.panel.hidden = !visible;
  }

  /** Evaluations follow the end of a run, on a busy machine some seconds later: poll until there is one. */
  follow(until) {
    setTimeout(async () => {
      await this.load();
      if (!this.panel.querySelector("[data-evaluation-row]") && Date.now() < until) this.follow(until);
    }, ASK_MS);
  }

  async load() {
    clearTimeout(this.timer);
    await fillFrom(
      $("[data-evaluation-list]", this.panel),
      () => get(`/api/trainings/${this.id}/evaluations`),
      ({ evaluations }) => this.list(evaluations),
    );
  }

  list(evaluations) {
    clearTimeout(this.timer);
    const newest = evaluations.find(({ status }) => status === "completed");
    setChildren(
      $("[data-evaluation-list]", this.panel),
      newest && newestVerdict(newest),
      evaluations.length ? table(evaluations) : this.empty(),
    );
    const unfinished = evaluations.filter(({ status }) => ["pending", "running"].includes(status));
    const soon = ({ status, created_at: created }) => status === "running" || Date.now() - Date.parse(created) < NEW_MS;
    if (unfinished.length) this.timer = setTimeout(() => this.load(), unfinished.some(soon) ? ASK_MS : ASK_WAITING_MS);
  }

  empty() {
    return h(
      "p",
      { class: "panel-empty" },
      t(
        "No evaluations yet. Evaluate the model on the test set, or on another dataset, to see how good it " +
          "is on new images.",
      ),
    );
  }

  /** A dialog; the evaluation is queued and shown in the list. */
  async start() {
    const { dataset_id: current } = this.training;
    const datasets = await get("/api/datasets", { status: "valid", per_page: DATASETS, sort: "name" }).catch(
      () => null,
    );
    const rest = (datasets?.datasets || []).filter(({ id }) => id !== current);
    const field = (name, label, options, note) =>
      h(
        "div",
        { class: "field" },
        h("label", { class: "form-label", for: `evaluate-${name}` }, label),
        h(
          "select",
          { class: "form-select", id: `evaluate-${name}` },
          options.map(([value, text]) => h("option", { value: String(value) }, text)),
        ),
        note && h("p", { class: "form-text" }, note),
      );
    const error = h("p", { class: "field-error", role: "alert", hidden: true });
    const mapping = h("div", {});
    const body = h(
      "div",
      {},
      field(
        "split",
        t("Set"),
        ["test", "val", "train"].map((split) => [split, splitText(split)]),
      ),
      field("dataset", t("Dataset"), [
        [current, t("The dataset of this run")],
        ...rest.map(({ id, name }) => [id, name]),
      ]),
      field("checkpoint", t("Checkpoint"), [
        ["best", t("Best")],
        ["last", t("Last")],
      ]),
      mapping,
      error,
    );
    $("#evaluate-dataset", body).addEventListener("change", () => setChildren(mapping));
    const value = (name) => $(`#evaluate-${name}`, body).value;
    const read = async () => {
      const request = {
        split: value("split"),
        checkpoint: value("checkpoint"),
        dataset_id: Number(value("dataset")),
        ...mapped(mapping),
      };
      error.hidden = true;
      try {
        return await post(`/api/trainings/${this.id}/evaluations`, request, newKey());
      } catch (problem) {
        if (!(problem instanceof ApiError)) throw problem;
        error.textContent = problem.detail || problem.title;
        error.hidden = false;
        const { missing, classes } = problem.members;
        if (missing) setChildren(mapping, mapper(missing, classes));
        return null;
      }
    };
    const started = await ask({ title: t("Evaluate the model"), action: t("Evaluate"), body: [body], read });
    if (started) this.load();
  }
}

/** The verdict of the newest one, with a link to it. */
const newestVerdict = (item) =>
  h(
    "p",
    { class: "evaluations-verdict", "data-newest-verdict": String(item.id) },
    h("a", { href: `/evaluations/${item.id}` }, splitText(item.split)),
    ": ",
    verdictText(item),
  );

/** A choice for each class of the dataset that the model does not have. */
function mapper(missing, classes) {
  return missing.map((name) =>
    h(
      "div",
      { class: "field" },
      h("label", { class: "form-label" }, t("“{name}” of the dataset is", { name }), " ", choice(name, classes)),
    ),
  );
}

const choice = (name, classes) =>
  h(
    "select",
    { class: "form-select", "data-theirs": name },
    h("option", { value: "" }, t("not evaluated (its objects are ignored)")),
    classes.map((ours) => h("option", { value: ours }, ours)),
  );

function mapped(container) {
  const choices = [...container.querySelectorAll("[data-theirs]")];
  if (!choices.length) return {};
  return { classes: Object.fromEntries(choices.map((item) => [item.dataset.theirs, item.value || null])) };
}

function table(evaluations) {
  const titles = [
    t("Set"),
    t("Checkpoint"),
    t("Dataset"),
    t("Status"),
    t("Images"),
    t("Precision"),
    t("Recall"),
    "mAP50",
    "mAP50-95",
  ];
  return h(
    "div",
    { class: "table-wrap", tabindex: 0, role: "group", "aria-label": t("Evaluations") },
    h(
      "table",
      { class: "list is-tight" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          titles.map((title, index) => h("th", { scope: "col", class: index > 3 ? "number" : null }, title)),
        ),
      ),
      h("tbody", {}, evaluations.map(row)),
    ),
  );
}

function row(item) {
  const { id, split, checkpoint, dataset_id: dataset, status, progress, images, metrics, created_at: created } = item;
  const value = (name) => (isNumber(metrics?.[name]) ? fixed(metrics[name], 3) : "–");
  const main = metrics?.top1 === undefined ? value("map50") : t("top-1 {value}", { value: percent(metrics.top1, 1) });
  return h(
    "tr",
    { "data-evaluation-row": String(id) },
    h(
      "td",
      {},
      h("a", { href: `/evaluations/${id}` }, splitText(split)),
      " ",
      h("span", { class: "under" }, ago(created)),
    ),
    h("td", {}, checkpointText(checkpoint)),
    h("td", {}, dataset ? datasetLink(dataset, item.dataset_name) : "–"),
    h(
      "td",
      {},
      badge(status),
      status === "running" && progress.percent !== null ? ` ${percent(progress.percent / 100)}` : "",
    ),
    h("td", { class: "number" }, isNumber(images) ? number(images) : "–"),
    h("td", { class: "number" }, value("precision")),
    h("td", { class: "number" }, value("recall")),
    h("td", { class: "number" }, main),
    h("td", { class: "number" }, value("map95")),
  );
}
