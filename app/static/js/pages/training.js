/* One training, live: the room's snapshot fills everything, each event changes what it is about. */
import { get, post } from "../api.js";
import { $, confirmed, failure, h, icon, put, toast } from "../dom.js";
import { ago, bytes, dateTime, duration, number, percent, remaining, significant } from "../format.js";
import { t, tn } from "../i18n.js";
import { trainingRoom } from "../socket.js";
import { bar, fraction, moveBar, stageText, trainingBadge } from "../status.js";
import { LogView } from "../log.js";
import { createPlots, metricCards } from "../metrics.js";

const page = $("[data-page]");
const id = Number(page.dataset.id);
const state = { training: null, metrics: [] };
const log = new LogView($("[data-log]"), $("[data-follow]"), $("[data-log-search]"), (after) => get(`/api/trainings/${id}/log`, { after }));
const plots = createPlots($("[data-charts]"), () => `training-${id}`);
const room = trainingRoom(id);

function showHead() {
  const { training } = state;
  $("[data-name]").textContent = training.name;
  put($("[data-status]"), trainingBadge(training));
  put($("[data-sub]"),
    h("a", { href: `/datasets/${training.dataset_id}` }, training.dataset_name), ` · YOLOv8${training.model_version}`,
    training.device ? ` · ${training.device}` : "", " · ", h("span", { title: dateTime(training.created_at) }, ago(training.start_time || training.created_at)));
  const active = ["pending", "running"].includes(training.status);
  $("[data-stop]").hidden = !active;
  $("[data-stop]").disabled = training.stop_requested;
  $("[data-download]").hidden = !training.downloadable;
  $("[data-test]").hidden = !training.downloadable || active;
  document.title = [active && percent(fraction(training)), training.name, "YOLO Training Platform"].filter(Boolean).join(" · ");
}

function advanceTexts() {
  const { training } = state;
  const { progress = {} } = training;
  const total = training.total_epochs || training.epochs;
  const epochText = t("Epoch {epoch} of {total}", { epoch: number(Math.min(total, Math.max(training.current_epoch, progress.epoch || 0))), total: number(total) });
  if (training.status === "running") {
    const stage = stageText(training);
    const main = stage && !training.current_epoch ? stage : epochText;
    const side = [stage && training.current_epoch ? stage : null, progress.batch ? t("batch {batch} of {batches}", { batch: number(progress.batch), batches: number(progress.batches) }) : null,
      progress.received ? [progress.received, progress.total].filter(Boolean).map(bytes).join(" / ") : null];
    return { main, side, strong: `${percent(fraction(training))} · ${remaining(training.eta)}` };
  }
  const times = training.duration ? [t("took {time}", { time: duration(training.duration) })] : [];
  if (training.status === "pending") return { main: t("In the queue"), side: [t("It starts by itself when it is its turn.")], strong: "" };
  if (training.status === "completed") return { main: tn("{n} epoch done", "{n} epochs done", training.current_epoch), side: times, strong: training.end_time ? dateTime(training.end_time) : "" };
  return { main: t("Ended after epoch {epoch} of {total}", { epoch: number(training.current_epoch), total: number(total) }), side: times, strong: training.end_time ? dateTime(training.end_time) : "" };
}

let advanceBar;

function showAdvance() {
  const { training } = state;
  const { main, side, strong } = advanceTexts();
  const place = $("[data-advance]");
  const look = { completed: "is-completed", failed: "is-failed", cancelled: "is-cancelled" }[training.status] || "";
  const text = h("div", { class: "advance-row" }, h("span", { class: "advance-main" }, main),
    h("span", { class: "advance-side" }, side.filter(Boolean).map((item) => h("span", {}, item)), strong && h("strong", {}, strong)));
  if (!advanceBar || advanceBar.look !== look) {
    advanceBar = { look, element: bar(0, look) };
    put(place, text, advanceBar.element);
  } else place.firstElementChild.replaceWith(text);
  moveBar(advanceBar.element, fraction(training));
}

function showFailure() {
  const { training } = state;
  const place = $("[data-failure]");
  if (training.status !== "failed") { put(place); return; }
  put(place, failure({ title: t("The training failed"), detail: training.error || t("No reason was recorded. See the log.") }));
}

function showNotes() {
  const { notes = [] } = state.training;
  put($("[data-notes]"), notes.length
    ? h("ul", { class: "bullets" }, notes.map((note) => h("li", {}, icon("info-circle"), h("span", {}, note.message))))
    : h("p", { class: "quiet" }, t("Decisions and incidents of the run appear here.")));
}

function showParameters() {
  const { training } = state;
  const rows = [
    [t("Model"), `YOLOv8${training.model_version}`],
    [t("Start weights"), { official: t("official"), scratch: t("from scratch") }[training.weights] || "–"],
    [t("Dataset"), training.dataset_name],
    [t("Epochs"), number(training.epochs)],
    [t("Batch size"), number(training.batch_size)],
    [t("Image size (px)"), number(training.img_size)],
    [t("Learning rate"), significant(training.learning_rate)],
    [t("Device"), training.device || "–"],
    [t("Created"), dateTime(training.created_at)],
    [t("Started"), dateTime(training.start_time)],
    [t("Ended"), dateTime(training.end_time)],
    ...Object.entries(training.params || {}).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  ];
  put($("[data-parameters]"), h("dl", { class: "pairs" }, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

/** The epoch with the best fitness, as ultralytics counts it: 0.1 mAP50 + 0.9 mAP50-95. */
function bestEpoch() {
  const fitness = (metric) => 0.1 * (metric.map50 || 0) + 0.9 * (metric.map95 || 0);
  const best = state.metrics.reduce((top, metric) => (!top || fitness(metric) > fitness(top) ? metric : top), null);
  return best && fitness(best) > 0 ? best.epoch : null;
}

function showMetrics() {
  put($("[data-cards]"), metricCards(state.metrics, bestEpoch()));
}

function showTraining() {
  showHead();
  showAdvance();
  showFailure();
  showNotes();
  showParameters();
}

function setAll({ training, metrics, log: text }) {
  state.training = training;
  state.metrics = metrics.epochs;
  showTraining();
  showMetrics();
  const best = bestEpoch();
  plots.forEach((plot) => { plot.best(best); plot.set(state.metrics); });
  if (text) log.replace(text);
}

function addEpoch({ epoch, metrics, parts, status, eta, timestamp, seconds }) {
  const metric = { epoch, ...metrics, parts: parts || {}, timestamp, seconds };
  Object.assign(state.training, { current_epoch: epoch, status, eta });
  const again = state.metrics.findIndex((item) => item.epoch >= epoch);
  if (again >= 0) state.metrics.splice(again); // an epoch that was repeated after a resume
  state.metrics.push(metric);
  const best = bestEpoch();
  plots.forEach((plot) => { plot.best(best); if (again >= 0) plot.set(state.metrics); else plot.push(metric); });
  showHead();
  showAdvance();
  showMetrics();
}

async function reload() {
  const [training, metrics] = await Promise.all([get(`/api/trainings/${id}`), get(`/api/trainings/${id}/metrics`)]);
  setAll({ training, metrics });
}

/** A message to all is in the server's language: sentences come by REST, in the reader's. */
function setStatus({ training }) {
  const { notes = [], error } = state.training;
  state.training = { ...training, notes, error };
  showTraining();
  if (training.error || training.notes.length !== notes.length) readTexts().catch((problem) => toast(problem.detail, "failed"));
}

async function readTexts() {
  const { notes, error } = await get(`/api/trainings/${id}`);
  Object.assign(state.training, { notes, error });
  showNotes();
  showFailure();
}

async function ended() {
  await reload().catch((error) => toast(error.detail, "failed"));
}

async function stop() {
  const kept = state.training.current_epoch ? t("The weights of the best epoch so far are kept.") : t("There are no weights yet.");
  if (!(await confirmed({ title: t("Stop this training?"), text: kept, action: t("Stop training") }))) return;
  try {
    await post(`/api/trainings/${id}/stop`);
    state.training.stop_requested = true;
    showHead();
  } catch (error) {
    toast(error.detail || error.title, "failed");
  }
}

const known = (handler) => (data) => { if (state.training) handler(data); };

room
  .on("snapshot", setAll)
  .on("refused", ({ error }) => put($("[data-failure]"), failure({ title: t("Live data is not available"), detail: error }, reload)))
  .on("training_update", known(addEpoch))
  .on("training_progress", known(({ progress, eta, status, current_epoch: epoch, total_epochs: total }) => {
    Object.assign(state.training, { progress, eta, status, ...(epoch !== undefined && { current_epoch: epoch }), ...(total && { total_epochs: total }) });
    showHead();
    showAdvance();
  }))
  .on("training_status", known(setStatus))
  .on("training_log", (data) => log.append(data))
  .on("training_completed", ended)
  .on("training_error", ended)
  .on("training_cancelled", ended);

$("[data-stop]").addEventListener("click", stop);
// Without a socket (blocked by a proxy, say) the page still shows what is known now.
setTimeout(() => { if (!state.training) reload().catch((error) => put($("[data-failure]"), failure(error, reload))); }, 1500);
