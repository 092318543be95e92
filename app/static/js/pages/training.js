/* One training, live: the page's first requests are shown first, the room's snapshot fills everything, each event
   updates its part. */
import { get } from "../lib/api.js";
import { BatchPlot } from "../trainings/batches.js";
import { Bell } from "../trainings/bell.js";
import { Cards } from "../trainings/cards.js";
import { CheckpointsView } from "../trainings/checkpoints.js";
import { ClassesView } from "../trainings/classes.js";
import { $, $$, failure, setChildren, toast } from "../lib/dom.js";
import { EvaluationView } from "../trainings/evaluation.js";
import { EvaluationsView } from "../trainings/evaluations.js";
import { ExportsView } from "../trainings/exports.js";
import { EventsView } from "../trainings/events.js";
import { GalleryView } from "../trainings/gallery.js";
import { t, tn } from "../lib/i18n.js";
import { LogView } from "../trainings/log.js";
import { MachineView } from "../trainings/machine.js";
import { showMetricHelp } from "../trainings/metric_help.js";
import { bestEpoch } from "../trainings/best_epoch.js";
import { Curves } from "../trainings/metrics.js";
import { ParametersView } from "../trainings/parameter_rows.js";
import { PreviewsView } from "../trainings/previews.js";
import { smoothingControl } from "../charts/smoothing_control.js";
import { trainingRoom } from "../lib/socket.js";
import { isUploaded } from "../ui/status.js";
import { Head } from "../trainings/head.js";
import { VerdictView } from "../trainings/verdict.js";
import { showWeights } from "../trainings/weights.js";

const page = $("[data-page]");
const id = Number(page.dataset.id);
const fileName = () => `training-${id}`;
const state = { training: null, metrics: [], advice: null, joined: false };
const early = Promise.all(
  [`/api/trainings/${id}`, `/api/trainings/${id}/metrics?classes=newest`].map((path) => get(path)),
); // as requested by the page's head
const log = new LogView($("[data-log]"), $("[data-follow]"), $("[data-log-search]"), (after) =>
  get(`/api/trainings/${id}/log`, { after }),
);
const batches = new BatchPlot(() => `${fileName()}-batches`);
const curves = new Curves($("[data-charts]"), fileName, [batches]);
const cards = new Cards($("[data-cards]"));
const classes = new ClassesView($("[data-classes]"), fileName);
const machine = new MachineView($("[data-machine]"));
const events = new EventsView($("[data-events]"), id, (advice) => {
  state.advice = advice;
  if (state.training) head.advise();
});
const checkpoints = new CheckpointsView($("[data-checkpoints]"), id, (rows) => events.checkpoints(rows));
const parameters = new ParametersView($("[data-parameters]"));
const previews = new PreviewsView($("[data-previews]"), id, (epoch) =>
  state.metrics.find((metric) => metric.epoch === epoch),
);
const gallery = new GalleryView($("[data-gallery]"), id);
const evaluation = new EvaluationView($("[data-evaluation]"), id, fileName);
const evaluations = new EvaluationsView($("[data-evaluations]"), id);
const exported = new ExportsView($("[data-exports]"), id);
const head = new Head(state, refresh);
const useWeights = () => showWeights(state.training);
const verdict = new VerdictView($("[data-verdict]"), {
  training: () => state.training,
  changed: refresh,
  weights: useWeights,
});
const bell = new Bell($("[data-bell]"));
const room = trainingRoom(id);

const active = () => ["pending", "running", "paused"].includes(state.training.status);

function showTraining() {
  head.show();
  judge();
  explainEmptyCharts();
  events.state(state.training);
  parameters.show(state.training);
  evaluations.show(state.training);
  exported.show(state.training);
}

/** The verdict, once for each ending and each run of epochs; the evaluation that it refers to is loaded with the
 *  ending. */
let judged = "";
function judge(anew = false) {
  const { status, current_epoch: epoch, downloadable, evaluated } = state.training;
  const rendered = JSON.stringify([status, epoch, downloadable, evaluated]);
  if (rendered === judged && !anew) return;
  judged = rendered;
  verdict.update();
}

/** A run that has ended without an epoch of its own will have no values. */
function explainEmptyCharts() {
  checkpoints.ended = !active();
  checkpoints.uploaded = isUploaded(state.training);
  const none = isUploaded(state.training)
    ? t("No values: the model was trained elsewhere.")
    : t("No values: the run ended before its first epoch was completed.");
  curves.waiting(active() ? null : none);
}

function setMetrics({ epochs }) {
  state.metrics = epochs;
  const { task } = state.training;
  const best = bestEpoch(epochs);
  cards.show(task, epochs, best);
  curves.set(task, epochs, best);
  explainEmptyCharts();
  classes.forTask(task);
  classes.set(epochs);
}

/** Before the socket's snapshot: the head and the curves. */
function setFirst([training, metrics]) {
  if (state.training) return;
  state.training = training;
  head.show();
  judge();
  setMetrics(metrics);
  room.payload.metrics = metrics.version;
}

/** `metrics` is null if the shown ones are up to date; by REST the rest is missing.
 *  @param {{training: any, metrics: any, log?: any, losses?: any, figures?: any, notes?: any, advice?: any}}
 *  snapshot */
function setAll({ training, metrics, log: text, losses, figures, notes, advice }) {
  const missed = state.joined && metrics ? metrics.epochs.length - state.metrics.length : 0;
  state.training = training;
  state.joined = true;
  showTraining();
  if (metrics) setMetrics(metrics);
  room.payload.metrics = null; // epochs arrive one by one from here on
  if (text) log.replace(text);
  if (losses) batches.fill(losses);
  batches.element.hidden = !active() && !batches.metrics.length;
  if (figures) machine.set(figures, training.status === "running");
  else machine.show();
  if (notes) events.fill(notes, advice);
  events.fillNotes(training.notes); // if there are none: for uploaded weights, or without a snapshot
  checkpoints.refresh();
  nameClasses();
  showFiles();
  if (missed > 0 && !page.dataset.quiet) caughtUp(missed);
}

/** After sleep or an interruption: shows that the page is up to date again, and since when it was not. */
let caughtUpTimer = 0;
function caughtUp(missed) {
  const message = $("[data-caught-up]");
  message.textContent = tn("{n} missed epoch was added.", "{n} missed epochs were added.", missed);
  message.hidden = false;
  clearTimeout(caughtUpTimer);
  caughtUpTimer = setTimeout(() => {
    message.hidden = true;
  }, 10_000);
}

/** What is stored in files: the run's images, predictions of each epoch, the evaluation at the end. */
async function showFiles() {
  const finished = !active();
  previews.load(finished);
  const files = await gallery.load(finished);
  if (files?.evaluation) evaluation.load();
  else evaluation.hide();
}

/** The names of the classes, once, since they do not change. */
async function nameClasses() {
  if (classes.names.length) return;
  try {
    classes.named((await get(`/api/datasets/${state.training.dataset_id}`)).classes);
  } catch {
    /* numbers are shown */
  }
}

function addEpoch({ epoch, metrics, parts, classes: byClass, status, progress, eta, timestamp, seconds, fitness }) {
  const metric = { epoch, ...metrics, parts: parts || {}, classes: byClass || [], timestamp, seconds, fitness };
  Object.assign(state.training, { current_epoch: epoch, status, progress, eta });
  const again = state.metrics.findIndex((item) => item.epoch >= epoch);
  if (again >= 0) state.metrics.splice(again); // an epoch that was repeated after a resume
  state.metrics.push(metric);
  const best = bestEpoch(state.metrics);
  if (again >= 0 || !curves.push(metric, best)) curves.set(state.training.task, state.metrics, best);
  if (again >= 0) classes.set(state.metrics);
  else classes.push(metric);
  cards.show(state.training.task, state.metrics, best);
  head.show();
  previews.changed();
  if (epoch < 4 || epoch % 10 === 0) gallery.load(false);
}

function progressed({ progress, eta, status, current_epoch: epoch, total_epochs: total }) {
  Object.assign(state.training, {
    progress,
    eta,
    status,
    ...(epoch !== undefined && { current_epoch: epoch }),
    ...(total && { total_epochs: total }),
  });
  batches.next(progress || {});
  head.show();
}

/** Load everything by REST: without a socket, and after an action. */
async function reload() {
  const [training, metrics] = await Promise.all([get(`/api/trainings/${id}`), get(`/api/trainings/${id}/metrics`)]);
  setAll({ training, metrics });
}

/** Load the training alone, with its texts in the reader's language. */
async function refresh() {
  state.training = await get(`/api/trainings/${id}`);
  showTraining();
}

function setStatus({ training }) {
  const late = training.evaluated && !state.training.evaluated && training.status === state.training.status;
  state.training = training;
  showTraining();
  if (!active()) checkpoints.refresh();
  if (late) showFiles(); // the evaluation of a stopped run follows its end
}

/** There are weights from the first checkpoint on. */
function saved() {
  checkpoints.refresh();
  if (state.training.downloadable) return;
  state.training.downloadable = true; // from now on the model can be evaluated and exported, too
  showTraining();
}

const reportFailure = (error) => toast(error.detail || error.title || String(error), "failed");
const once = (handler) => (data) => {
  if (state.training) handler(data);
};

async function ended() {
  page.dataset.quiet = "true"; // what arrives now was not missed
  try {
    await reload();
    bell.ring(state.training);
  } catch (error) {
    reportFailure(error);
  }
  delete page.dataset.quiet;
}

/** Show links to the visible parts. By script, since a :has() rule would cost a style recalculation on each change. */
function links() {
  for (const link of $$(".jump a")) link.hidden = Boolean($(link.getAttribute("href")).closest("section")?.hidden);
}

const panels = new MutationObserver(links);
for (const panel of $$("[data-previews], [data-classes], [data-evaluation], [data-evaluations]"))
  panels.observe(panel, { attributeFilter: ["hidden"] });
links();
$("[data-download]").addEventListener("click", (event) => {
  if (state.training) {
    event.preventDefault();
    useWeights();
  }
});
$("[data-smoothing]").append(smoothingControl());
$("[data-metric-help]").addEventListener("click", () => showMetricHelp(state.training?.task || "detect"));

room
  .on("snapshot", setAll)
  .on("refused", ({ error }) =>
    setChildren($("[data-failure]"), failure({ title: t("Live data is not available"), detail: error }, reload)),
  )
  .on("training_update", once(addEpoch))
  .on("training_progress", once(progressed))
  .on("training_status", once(setStatus))
  .on("training_log", (data) => log.append(data))
  .on(
    "training_system",
    once((data) => machine.push(data.figures || data)),
  )
  .on("training_deleted", () => window.location.assign("/trainings"))
  .on("training_checkpoint", once(saved));
for (const name of ["training_completed", "training_error", "training_cancelled", "training_paused"])
  room.on(name, ended);
for (const name of ["training_note", "training_advice"])
  room.on(
    name,
    once((data) => events.arrived(name, data)),
  );

early.then(setFirst, () => {}); // a failed request is repeated later
// Without a socket (blocked by a proxy, for example) the page still shows the present state.
const alone = () => reload().catch((error) => setChildren($("[data-failure]"), failure(error, reload)));
setTimeout(() => {
  if (!state.training) alone();
}, 1500);
setTimeout(() => {
  if (!state.joined) alone();
}, 5000);
