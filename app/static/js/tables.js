/* Tables of trainings, used by several pages. */
import { h } from "./dom.js";
import { ago, dateTime, duration, fixed, number, percent } from "./format.js";
import { t } from "./i18n.js";
import { bar, fraction, trainingBadge } from "./status.js";

/** A table of trainings; `withDataset` false where the page is about one dataset, `compact` where there is little room. */
export function trainingTable(trainings, { withDataset = true, compact = false } = {}) {
  const head = [t("Training"), t("State"), withDataset && !compact && t("Dataset"), !compact && t("Model"), t("Epochs"), "mAP50", !compact && "mAP50-95", !compact && t("Duration"), t("Created")].filter(Boolean);
  const numbers = new Set([t("Epochs"), "mAP50", "mAP50-95", t("Duration")]);
  const roomy = new Set([t("Model"), "mAP50-95", t("Duration")]); // shown where there is room
  const look = (text) => [numbers.has(text) && "number", roomy.has(text) && "roomy"].filter(Boolean).join(" ") || null;
  return h("div", { class: "table-wrap" }, h("table", { class: `list is-cards ${compact ? "is-compact" : ""}` },
    h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col", class: look(text) }, text)))),
    h("tbody", {}, trainings.map((training) => trainingRow(training, withDataset, compact)))));
}

function trainingRow(training, withDataset, compact) {
  const total = training.total_epochs || training.epochs;
  const running = training.status === "running";
  const cell = (label, content, look = "number") => h("td", { "data-label": label, class: look }, content);
  return h("tr", { "data-training": training.id },
    h("td", {}, h("a", { class: "name-link", href: `/trainings/${training.id}`, title: training.name }, training.name),
      compact && h("span", { class: "name-link under" }, `${training.dataset_name} · YOLOv8${training.model_version}`)),
    h("td", {}, trainingBadge(training)),
    withDataset && !compact && h("td", { class: "wide" }, h("a", { class: "name-link under", href: `/datasets/${training.dataset_id}`, title: training.dataset_name }, training.dataset_name)),
    !compact && h("td", { class: "nowrap roomy" }, `YOLOv8${training.model_version}`),
    cell(t("Epochs"), [`${number(training.current_epoch)} / ${number(total)}`, running && bar(fraction(training), "", percent(fraction(training)))].filter(Boolean)),
    cell("mAP50", fixed(training.best?.map50), "number strong"),
    !compact && cell("mAP50-95", fixed(training.best?.map95), "number roomy"),
    !compact && cell(t("Duration"), duration(training.duration), "number roomy"),
    h("td", { class: "nowrap under", title: dateTime(training.created_at) }, ago(training.created_at)));
}
