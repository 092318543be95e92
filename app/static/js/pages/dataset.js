/* One dataset: what is in it, what the import decided, what is wrong with it, who used it. */
import { get, remove } from "../api.js";
import { splitBar } from "../datasets.js";
import { $, $$, confirmed, failure, fillFrom, h, icon, put, toast } from "../dom.js";
import { ago, bytes, dateTime, number, percent } from "../format.js";
import { t, tn } from "../i18n.js";
import { showPager } from "../pager.js";
import { badge, bar } from "../status.js";
import { trainingTable } from "../tables.js";
import { room } from "../trainings.js";

const id = Number($("[data-page]").dataset.id);
let dataset = null;
let severity = "";

async function load() {
  try {
    dataset = await get(`/api/datasets/${id}`);
    put($("[data-failure]"));
    show();
  } catch (error) {
    put($("[data-failure]"), failure(error, load));
  }
}

const busy = () => ["pending", "validating"].includes(dataset.status);

function show() {
  $("[data-name]").textContent = dataset.name;
  put($("[data-status]"), badge(dataset.status));
  put($("[data-sub]"), dataset.description ? `${dataset.description} · ` : "", h("span", { title: dateTime(dataset.created_at) }, ago(dataset.created_at)));
  $("[data-train]").hidden = dataset.status !== "valid";
  if (dataset.status === "invalid") put($("[data-failure]"), failure({ title: t("This dataset cannot be trained on"), detail: dataset.error }));
  showFigures();
  showClasses();
  put($("[data-split]"), h("div", { class: "stack" }, splitBar(dataset)));
  showDecisions();
  $("[data-progress]").hidden = !busy();
  if (busy()) showProgress({});
}

function figure(label, value, note = "") {
  return h("div", { class: "figure" }, h("div", { class: "figure-label" }, label), h("div", { class: "figure-value" }, value), note && h("div", { class: "figure-note" }, note));
}

/** Boxes by class, in the classes' order; empty while nothing was counted. */
function boxCounts() {
  const boxes = dataset.report?.boxes;
  if (!boxes) return [];
  return dataset.classes.map((_name, index) => Number(boxes[index] ?? boxes[String(index)] ?? 0));
}

function showFigures() {
  const counts = boxCounts();
  const boxes = counts.reduce((sum, count) => sum + count, 0);
  put($("[data-figures]"),
    figure(t("Pictures"), number(dataset.total_images)),
    figure(t("Classes"), number(dataset.classes.length)),
    figure(t("Marked things"), counts.length ? number(boxes) : "–", counts.length && dataset.total_images ? t("{n} a picture", { n: number(boxes / dataset.total_images, 1) }) : ""),
    figure(t("Size"), dataset.size_bytes ? bytes(dataset.size_bytes) : "–"));
}

function showClasses() {
  const counts = boxCounts();
  const most = Math.max(1, ...counts);
  $("[data-class-count]").textContent = dataset.classes.length ? number(dataset.classes.length) : "";
  put($("[data-classes]"), dataset.classes.length ? h("div", { class: "class-rows" }, dataset.classes.flatMap((name, index) => [
    h("span", { title: name }, name),
    counts.length ? bar(counts[index] / most, "is-plain", name) : h("span"),
    h("span", { class: "tabular quiet" }, counts.length ? number(counts[index]) : "")])) : h("p", { class: "quiet" }, busy() ? t("The check is counting them.") : t("No class is known.")));
}

function showDecisions() {
  const { decisions: taken = [], skipped } = dataset.report || {};
  const names = (skipped?.names || []).slice(0, 5).join(", ") + (skipped?.count > 5 ? " …" : "");
  const decisions = skipped?.count ? [...taken, tn("{n} file was left out: {names}", "{n} files were left out: {names}", skipped.count, { names })] : taken;
  put($("[data-decisions]"), decisions.length
    ? h("ul", { class: "bullets" }, decisions.map((item) => h("li", {}, icon("info-circle"), h("span", {}, typeof item === "string" ? item : item.message || item.code))))
    : h("p", { class: "quiet" }, busy() ? t("The check is not finished.") : t("Nothing had to be decided: it was taken as it is.")));
}

function showProgress({ done, total }) {
  const value = total ? done / total : null;
  put($("[data-progress]"), h("div", { class: "panel-body" },
    h("div", { class: "meter-head" }, h("span", {}, t("Every picture and label file is checked")), h("span", {}, total ? [t("{done} of {total}", { done: number(done), total: number(total) }), " · ", percent(value)] : t("waiting"))),
    bar(value, "", t("Checking"))));
}



function loadFindings(page = 1) {
  return fillFrom($("[data-findings]"), () => get(`/api/datasets/${id}/findings`, { page, per_page: 20, severity }), (answer, place) => {
    if (!severity) $("[data-finding-count]").textContent = answer.total ? number(answer.total) : "";
    showPager($("[data-findings-pager]"), answer, loadFindings);
    put(place, answer.findings.length ? findingTable(answer.findings)
      : h("p", { class: "panel-empty" }, severity ? t("None of this severity.") : noFindings()));
  });
}

function noFindings() {
  if (dataset && busy()) return t("The check is not finished.");
  return dataset?.status === "invalid" ? t("Nothing beyond the reason above.") : t("Nothing is wrong with it.");
}

function findingTable(findings) {
  return h("div", { class: "table-wrap" }, h("table", { class: "list is-cards" },
    h("thead", {}, h("tr", {}, [t("Severity"), t("What"), t("File"), t("Line")].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, findings.map((item) => h("tr", {},
      h("td", {}, badge(item.severity)),
      h("td", { class: "wide" }, item.message),
      h("td", { class: "wide file" }, item.file || "–"),
      h("td", { "data-label": t("Line"), class: "tabular" }, item.line ? number(item.line) : "–"))))));
}

function loadTrainings(page = 1) {
  return fillFrom($("[data-trainings]"), () => get("/api/trainings", { dataset_id: id, page, per_page: 10 }), (answer, place) => {
    showPager($("[data-trainings-pager]"), answer, loadTrainings);
    put(place, answer.trainings.length ? trainingTable(answer.trainings, { withDataset: false }) : h("p", { class: "panel-empty" }, t("No training has used it yet.")));
  });
}

async function erase() {
  const text = t("“{name}” with its {n} pictures is deleted from the server. This cannot be undone.", { name: dataset?.name || "", n: number(dataset?.total_images || 0) });
  if (!(await confirmed({ title: t("Delete this dataset?"), text, action: t("Delete") }))) return;
  try {
    await remove(`/api/datasets/${id}`);
    window.location.assign("/datasets");
  } catch (error) {
    toast(error.detail || error.title, "failed");
  }
}

room.on("dataset_update", (update) => {
  if (update.dataset_id !== id) return;
  if (dataset && busy() && ["pending", "validating"].includes(update.status)) { showProgress(update); return; }
  load().then(() => loadFindings());
}).on("snapshot", () => { if (dataset) load(); });
$("[data-delete]").addEventListener("click", erase);
for (const button of $$("[data-severity]")) {
  button.addEventListener("click", () => {
    severity = button.dataset.severity;
    for (const other of $$("[data-severity]")) other.setAttribute("aria-pressed", other === button);
    loadFindings();
  });
}
await load();
loadFindings();
loadTrainings();
