/* One training, live: the room's snapshot fills everything, each event changes what it is about. */
import { get } from "../api.js";
import { BatchPlot } from "../batches.js";
import { CheckpointsView } from "../checkpoints.js";
import { ClassesView } from "../classes.js";
import { $, failure, h, put, toast } from "../dom.js";
import { EventsView } from "../events.js";
import { LogView } from "../log.js";
import { MachineView } from "../machine.js";
import { bestEpoch, createPlots, metricCards } from "../metrics.js";
import { parameterRows } from "../parameter_rows.js";
import { trainingRoom } from "../socket.js";
import { t } from "../i18n.js";
import { Head } from "../training_head.js";

const page = $("[data-page]");
const id = Number(page.dataset.id);
const fileName = () => `training-${id}`;
const state = { training: null, metrics: [], advice: null };
const log = new LogView($("[data-log]"), $("[data-follow]"), $("[data-log-search]"), (after) => get(`/api/trainings/${id}/log`, { after }));
const batches = new BatchPlot(() => `${fileName()}-batches`);
const plots = createPlots($("[data-charts]"), fileName, [batches]);
const classes = new ClassesView($("[data-classes]"), fileName);
const machine = new MachineView($("[data-machine]"));
const events = new EventsView($("[data-events]"), id, (advice) => { state.advice = advice; if (state.training) head.advise(); });
const checkpoints = new CheckpointsView($("[data-checkpoints]"), id, (rows) => events.checkpoints(rows));
const head = new Head(state, refresh);
const room = trainingRoom(id);

function showTraining() {
  head.show();
  events.state(state.training);
  put($("[data-parameters]"), h("dl", { class: "pairs" }, parameterRows(state.training)));
}

function showMetrics() {
  put($("[data-cards]"), metricCards(state.metrics, bestEpoch(state.metrics)));
  classes.set(state.metrics);
}

const running = () => state.training.status === "running";

function setAll({ training, metrics, log: text, losses, figures, notes, advice }) {
  state.training = training;
  state.metrics = metrics.epochs;
  showTraining();
  showMetrics();
  const best = bestEpoch(state.metrics);
  plots.forEach((plot) => { plot.best(best); plot.set(state.metrics); });
  if (text) log.replace(text);
  if (losses) batches.fill(losses);
  if (figures) machine.set(figures, running());
  else machine.show();
  if (notes) events.fill(notes, advice);
  else events.fillPlain(training.notes);
  checkpoints.refresh();
  nameClasses();
}

/** The names of the classes, once: they do not change. */
async function nameClasses() {
  if (classes.names.length) return;
  try { classes.named((await get(`/api/datasets/${state.training.dataset_id}`)).classes); } catch { /* numbers stand there */ }
}

function addEpoch({ epoch, metrics, parts, classes: found, status, eta, timestamp, seconds }) {
  const metric = { epoch, ...metrics, parts: parts || {}, classes: found || [], timestamp, seconds };
  Object.assign(state.training, { current_epoch: epoch, status, eta });
  const again = state.metrics.findIndex((item) => item.epoch >= epoch);
  if (again >= 0) state.metrics.splice(again); // an epoch that was repeated after a resume
  state.metrics.push(metric);
  const best = bestEpoch(state.metrics);
  plots.forEach((plot) => { plot.best(best); if (again >= 0) plot.set(state.metrics); else plot.push(metric); });
  head.show();
  showMetrics();
}

function progressed({ progress, eta, status, current_epoch: epoch, total_epochs: total }) {
  Object.assign(state.training, { progress, eta, status, ...(epoch !== undefined && { current_epoch: epoch }), ...(total && { total_epochs: total }) });
  batches.add(progress || {});
  head.show();
}

/** Everything by REST: where there is no socket, and after an action. */
async function reload() {
  const [training, metrics] = await Promise.all([get(`/api/trainings/${id}`), get(`/api/trainings/${id}/metrics`)]);
  setAll({ training, metrics });
}

/** The training alone, with its sentences in the reader's language. */
async function refresh() {
  state.training = await get(`/api/trainings/${id}`);
  showTraining();
}

function setStatus({ training }) {
  state.training = training;
  showTraining();
}

const told = (error) => toast(error.detail || error.title || String(error), "failed");
const ended = () => { reload().catch(told); };
const known = (handler) => (data) => { if (state.training) handler(data); };

room
  .on("snapshot", setAll)
  .on("refused", ({ error }) => put($("[data-failure]"), failure({ title: t("Live data is not available"), detail: error }, reload)))
  .on("training_update", known(addEpoch))
  .on("training_progress", known(progressed))
  .on("training_status", known(setStatus))
  .on("training_log", (data) => log.append(data))
  .on("training_system", known((data) => machine.push(data.figures || data)))
  .on("training_deleted", () => window.location.assign("/trainings"))
  .on("training_checkpoint", known(() => checkpoints.refresh()));
for (const name of ["training_completed", "training_error", "training_cancelled", "training_paused"]) room.on(name, ended);
for (const name of ["training_note", "training_advice"]) room.on(name, known((data) => events.arrived(name, data)));

// Without a socket (blocked by a proxy, say) the page still shows what is known now.
setTimeout(() => { if (!state.training) reload().catch((error) => put($("[data-failure]"), failure(error, reload))); }, 1500);
