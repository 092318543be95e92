/* Tables of trainings, used by several pages. */
import { h } from "./dom.js";
import { ago, dateTime, duration, fixed, number, percent } from "./format.js";
import { t } from "./i18n.js";
import { bar, fraction, modelName, trainingBadge } from "./status.js";

/** A table of trainings; `withDataset` false where the page is about one dataset, `compact` where there is little room,
 *  `actions(training)` for buttons at the end of each row. */
export function trainingTable(trainings, { withDataset = true, compact = false, actions = null } = {}) {
  const head = [t("Training"), t("State"), withDataset && !compact && t("Dataset"), !compact && t("Model"), t("Epochs"), "mAP50", !compact && "mAP50-95", !compact && t("Duration"), t("Created"), actions && ""].filter((text) => text === "" || text);
  const numbers = new Set([t("Epochs"), "mAP50", "mAP50-95", t("Duration")]);
  const roomy = new Set([t("Model"), "mAP50-95", t("Duration")]); // shown where there is room
  const look = (text) => [numbers.has(text) && "number", roomy.has(text) && "roomy"].filter(Boolean).join(" ") || null;
  return h("div", { class: "table-wrap" }, h("table", { class: `list is-cards ${compact ? "is-compact" : ""}` },
    h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col", class: look(text) }, text || h("span", { class: "visually-hidden" }, t("Actions")))))),
    h("tbody", {}, trainings.map((training) => trainingRow(training, withDataset, compact, actions)))));
}

function trainingRow(training, withDataset, compact, actions) {
  const total = training.total_epochs || training.epochs;
  const advances = ["running", "paused"].includes(training.status);
  const cell = (label, content, look = "number") => h("td", { "data-label": label, class: look }, content);
  return h("tr", { "data-training": training.id },
    h("td", {}, h("a", { class: "name-link", href: `/trainings/${training.id}`, title: training.name }, training.name),
      compact && h("span", { class: "name-link under" }, `${training.dataset_name} · ${modelName(training)}`)),
    h("td", {}, trainingBadge(training)),
    withDataset && !compact && h("td", { class: "wide" }, h("a", { class: "name-link under", href: `/datasets/${training.dataset_id}`, title: training.dataset_name }, training.dataset_name)),
    !compact && h("td", { class: "nowrap roomy" }, modelName(training)),
    cell(t("Epochs"), [`${number(training.current_epoch)} / ${number(total)}`, advances && bar(fraction(training), training.status === "paused" ? "is-paused" : "", percent(fraction(training)))].filter(Boolean)),
    cell("mAP50", fixed(training.best?.map50), "number strong"),
    !compact && cell("mAP50-95", fixed(training.best?.map95), "number roomy"),
    !compact && cell(t("Duration"), duration(training.duration), "number roomy"),
    h("td", { class: "nowrap under", title: dateTime(training.created_at) }, ago(training.created_at)),
    actions && h("td", { class: "wide" }, h("div", { class: "row-actions" }, actions(training))));
}
