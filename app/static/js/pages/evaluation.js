/* One evaluation: the model's quality, its errors, and every image behind them. */
import { get, put as send, remove } from "../lib/api.js";
import { $, $$, confirmed, failure, h, setChildren, toast } from "../lib/dom.js";
import { ErrorBrowser } from "../trainings/error_browser.js";
import { LabelErrors } from "../trainings/label_errors.js";
import { fixed, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { matrixTable } from "../trainings/matrix.js";
import { curvePlots } from "../trainings/curve_plots.js";
import { SplitFigures } from "../trainings/splits.js";
import { TwoEvaluations } from "../trainings/two_evaluations.js";
import { checkpointText, classTable, figures, splitText, verdictText } from "../trainings/evaluated.js";
import { datasetLink } from "../ui/dataset_link.js";
import { badge } from "../ui/status.js";

const ASK_MS = 1000;
const page = $("[data-page]");
const { id, task } = page.dataset;
const address = `/api/evaluations/${id}`;
const form = $("[data-thresholds]");
const state = $("[data-state]");
let evaluation;
let browser;
let timer;
let latest = 0;

const chosen = () =>
  task === "classify" ? {} : { confidence: form.elements.confidence.value, iou: form.elements.iou.value };

async function load() {
  try {
    evaluation = await get(address);
  } catch (error) {
    setChildren(state, failure(error, load));
    return;
  }
  head();
  if (evaluation.status === "completed") results();
  else waiting();
}

function head() {
  const { status, split, checkpoint, dataset_id: dataset, dataset_name: name, revision } = evaluation;
  setChildren($("[data-status]"), badge(status));
  setChildren(
    $("[data-sub]"),
    splitText(split),
    " · ",
    checkpointText(checkpoint),
    " · ",
    dataset ? datasetLink(dataset, name) : t("The dataset was deleted."),
    revision ? ` · ${t("version {n}", { n: revision })}` : "",
  );
}

/** Before it is completed: its progress, or why it failed. */
function waiting() {
  const { status, progress, error } = evaluation;
  if (["failed", "cancelled"].includes(status)) {
    setChildren(state, h("p", {}, error?.message ?? t("The evaluation was stopped.")), back());
    return;
  }
  const share = progress.percent === null ? undefined : progress.percent;
  setChildren(
    state,
    h("p", {}, status === "pending" ? t("The evaluation waits for its device.") : t("The evaluation is running.")),
    h("progress", { class: "job-progress", max: 100, value: share, "aria-label": t("Progress") }),
  );
  setTimeout(load, ASK_MS);
}

const back = () =>
  h("a", { class: "btn btn-outline btn-sm", href: `/trainings/${evaluation.training_id}` }, t("Back to the run"));

function results() {
  const { images, objects, names, confidence, iou } = evaluation;
  state.hidden = true;
  $("[data-results]").hidden = false;
  setChildren($("[data-about]"), tn("{n} image", "{n} images", images), ", ", tn("{n} object", "{n} objects", objects));
  setChildren(
    $("[data-figures]"),
    h("p", { class: "evaluated-verdict" }, verdictText(evaluation)),
    figures(evaluation),
  );
  setChildren(
    $("[data-class-figures]"),
    classTable(evaluation, (name) => browser.show({ class: name })),
  );
  for (const part of $$("[data-boxes-only]")) part.hidden = task === "classify";
  form.elements.confidence.value = confidence;
  form.elements.iou.value = iou;
  values();
  advised();
  $("[name=class]").append(...names.map((name) => h("option", { value: name }, name)));
  browser = new ErrorBrowser($("#images"), { address, task, names, thresholds: chosen });
  refresh();
  curves();
  new SplitFigures($("[data-split-figures]"), evaluation);
  new TwoEvaluations($("#compare"), { address, task, names });
  new LabelErrors($("#label-errors"), { address, task, names, dataset: evaluation.dataset_id });
}

/** Without curves there is no section: for a classification, or if nothing was detected. */
async function curves() {
  const answer = await get(`${address}/curves`).catch(() => ({ curves: null }));
  if (!answer.curves) return;
  $("[data-curves]").hidden = false;
  curvePlots($("[data-curve-plots]"), {
    curves: answer.curves,
    threshold: evaluation.thresholds.length ? evaluation.confidence : null,
    name: () => `evaluation-${id}`,
  });
}

function values() {
  for (const output of $$("[data-value]", form))
    output.textContent = fixed(form.elements[output.dataset.value].value, 2);
}

/** The recommendations, as buttons that set the slider. */
function advised() {
  const wishes = { balanced: t("Best F1"), precise: t("Few false positives"), sensitive: t("Few false negatives") };
  setChildren(
    $("[data-advised]"),
    evaluation.thresholds.length ? t("Recommended:") : null,
    evaluation.thresholds.map((row) =>
      h(
        "button",
        {
          class: "btn btn-outline btn-sm",
          type: "button",
          title: t("Precision {precision}, recall {recall}", {
            precision: percent(row.precision),
            recall: percent(row.recall),
          }),
          onclick: () => {
            form.elements.confidence.value = row.confidence;
            changed();
          },
        },
        `${wishes[row.name]}: ${fixed(row.confidence, 2)}`,
      ),
    ),
  );
}

function changed() {
  values();
  clearTimeout(timer);
  timer = setTimeout(refresh, 250);
}

async function refresh() {
  const turn = (latest += 1); // a response for older thresholds may arrive later
  browser.load();
  const container = $("[data-matrix]");
  try {
    const answer = await get(`${address}/matrix`, chosen());
    if (turn !== latest) return;
    browser.counts(answer.counts);
    setChildren(
      container,
      matrixTable(asTable(answer), ([row, column]) => browser.show(cellOf(answer.names, row, column))),
    );
  } catch (error) {
    if (turn === latest) setChildren(container, failure(error, refresh));
  }
}

/** The matrix in the form of matrix.js: every cell opens its images. */
function asTable({ names, cells }) {
  const index = (name) => (name === null ? names.length : names.indexOf(name));
  const matrix = cells.map((cell) => [index(cell.predicted), index(cell.actual), cell.count]);
  return { names, matrix, task, cells: Object.fromEntries(matrix.map(([row, column]) => [`${row},${column}`, [0]])) };
}

const cellOf = (names, row, column) => ({ predicted: names[row] ?? "", actual: names[column] ?? "" });

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", changed);
$("[data-keep]").addEventListener("click", async () => {
  try {
    const run = `/api/trainings/${evaluation.training_id}`;
    const { thresholds } = await get(run); // another user may have stored an IoU and classes
    await send(`${run}/thresholds`, { ...thresholds, confidence: Number(form.elements.confidence.value) });
    toast(t("The Test page now uses this confidence threshold for this model."), "success");
  } catch (error) {
    toast(error.detail || error.title, "failed");
  }
});
$("[data-remove]").addEventListener("click", async () => {
  const confirmation = await confirmed({
    title: t("Delete this evaluation?"),
    text: t("Its metrics and results are deleted. The model and the dataset stay."),
    action: t("Delete"),
  });
  if (!confirmation) return;
  try {
    await remove(address);
    window.location.assign(`/trainings/${evaluation.training_id}`);
  } catch (error) {
    toast(error.detail || error.title, "failed");
  }
});
load();
