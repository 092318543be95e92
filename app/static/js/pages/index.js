/* The dashboard: what runs, what waits, what came out, how the machine is. */
import { get } from "../api.js";
import { Mini } from "../charts.js";
import { pictures, sampleButton } from "../datasets.js";
import { $, failure, fillFrom, h, icon, put, skeleton } from "../dom.js";
import { ago, bytes, fixed, number, percent, remaining } from "../format.js";
import { t, tn } from "../i18n.js";
import { badge, bar, epochText, fraction, moveBar, pauseText, stageText, trainingBadge } from "../status.js";
import { queueRow } from "../queue.js";
import { SystemFeed } from "../system_feed.js";
import { trainingTable } from "../tables.js";
import { active, room } from "../trainings.js";

const cards = new Map(); // training id → LiveCard
let watching = false; // the machine, and with it the whole page: there is something to show

class LiveCard {
  constructor(training) {
    this.mini = new Mini((metric) => metric.map50);
    this.metrics = [];
    this.bar = bar(0);
    this.state = h("span");
    this.figures = h("div", { class: "live-row" });
    this.values = h("div", { class: "live-row" });
    this.element = h("a", { class: "panel live-card", href: `/trainings/${training.id}` },
      h("div", { class: "live-head" }, h("span", { class: "live-name", title: training.name }, training.name), this.state),
      this.mini.element, this.values, this.bar, this.figures);
  }

  async start(training) {
    this.mini.start(training.total_epochs || training.epochs);
    this.show(training);
    try { this.set((await get(`/api/trainings/${training.id}/metrics`)).epochs); } catch { this.set([]); }
  }

  set(metrics) {
    this.metrics = metrics;
    this.mini.set(metrics);
    const last = metrics.at(-1);
    put(this.values, last ? [h("span", {}, "mAP50 ", h("strong", {}, fixed(last.map50))), h("span", {}, t("loss"), " ", h("strong", {}, fixed(last.loss)))] : h("span", {}, "mAP50"));
  }

  add(metric) {
    this.set([...this.metrics.filter((item) => item.epoch < metric.epoch), metric]);
  }

  show(training) {
    put(this.state, trainingBadge(training));
    moveBar(this.bar, fraction(training));
    const begun = training.current_epoch > 0 || training.progress?.epoch > 0;
    put(this.figures, h("span", {}, (!begun && stageText(training)) || epochText(training)),
      h("span", {}, `${percent(fraction(training))} · ${remaining(training.eta)}`));
  }
}

function showRunning() {
  const running = active.running;
  $("[data-running-count]").textContent = running.length > 1 ? number(running.length) : "";
  for (const [id, card] of cards) if (!running.some((item) => item.id === id)) { card.element.remove(); cards.delete(id); }
  const place = $("[data-live]");
  if (!running.length) { put(place, idle()); return; }
  if (!cards.size) put(place);
  for (const training of running) {
    const card = cards.get(training.id);
    if (card) { card.show(training); continue; }
    const fresh = new LiveCard(training);
    cards.set(training.id, fresh);
    place.append(fresh.element);
    fresh.start(training);
  }
}

const idle = () => h("div", { class: "panel idle" }, h("span", {}, t("No run in progress.")),
  h("a", { class: "btn btn-outline btn-sm", href: "/trainings/new" }, icon("play-fill"), " ", t("New training run")));

function rows(items, empty) {
  return items.length ? h("ul", { class: "rows" }, items) : h("p", { class: "panel-empty" }, empty);
}

function showQueue() {
  const waiting = active.pending;
  $("[data-queue-count]").textContent = waiting.length ? number(waiting.length) : "";
  put($("[data-queue]"), waiting.length ? h("ol", { class: "queue" }, waiting.slice(0, 4).map(queueRow)) : h("p", { class: "panel-empty" }, t("The queue is empty.")));
  $("[data-queue-more]").hidden = waiting.length < 2;
}

function showPaused() {
  const { paused } = active;
  $("[data-paused-panel]").hidden = !paused.length;
  $("[data-paused-count]").textContent = number(paused.length);
  put($("[data-paused]"), rows(paused.slice(0, 3).map((training) => h("li", { class: "row-item" },
    h("div", { class: "row-main" }, h("a", { class: "name-link", href: `/trainings/${training.id}`, title: training.name }, training.name), h("span", { class: "under", title: pauseText(training) }, pauseText(training))),
    h("span", { class: "under tabular nowrap" }, percent(fraction(training)))))));
}

/** The room's snapshot holds what runs and waits. */
async function loadPaused() {
  try { active.update((await get("/api/trainings", { status: "paused", per_page: 50 })).trainings); } catch { /* the list page has them */ }
}

const getLatest = () => get("/api/trainings", { per_page: 10 });
const getDatasets = () => get("/api/datasets", { per_page: 4 });

function showLatest({ trainings }, place) {
  put(place, trainings.length ? trainingTable(trainings, { compact: true, curves: true }) : h("p", { class: "panel-empty" }, t("Results of completed runs appear here.")));
}

function showDatasets({ datasets }, place) {
  put(place, rows(datasets.map((item) => h("li", { class: "row-item" },
    h("div", { class: "row-main" }, h("a", { class: "name-link", href: `/datasets/${item.id}` }, item.name), h("span", { class: "under" }, pictures(item.total_images), " · ", ago(item.created_at))),
    badge(item.status))), t("No datasets yet.")));
}

const loadLatest = () => fillFrom($("[data-latest]"), getLatest, showLatest);
const loadDatasets = () => fillFrom($("[data-datasets]"), getDatasets, showDatasets);

function meter(label, value, text) {
  return h("div", { class: "meter" }, h("div", { class: "meter-head" }, h("span", {}, label), h("span", {}, text)), bar(value, "is-plain", label));
}

function showMachine(system, place) {
  const { cpu = {}, memory = {}, disk = {}, gpus = [] } = system;
  const used = ({ used, total }) => t("{used} of {total}", { used: bytes(used), total: bytes(total) });
  put(place,
    meter(t("CPU"), (cpu.percent ?? 0) / 100, [percent((cpu.percent ?? 0) / 100), cpu.count && tn("{n} core", "{n} cores", cpu.count)].filter(Boolean).join(" · ")),
    memory.total && meter(t("Memory"), memory.used / memory.total, used(memory)),
    disk.total && meter(t("Disk"), (disk.total - disk.free) / disk.total, t("{free} free", { free: bytes(disk.free) })),
    gpus.length ? gpus.map((gpu) => meter(gpu.name || t("GPU"), gpu.memory_total ? gpu.memory_used / gpu.memory_total : 0, gpu.memory_total ? used({ used: gpu.memory_used, total: gpu.memory_total }) : ""))
      : h("p", { class: "under" }, t("No GPU found. Runs use the CPU.")));
}

const machine = new SystemFeed({
  show: (system) => showMachine(system, $("[data-machine]")),
  fail: (error) => put($("[data-machine]"), failure(error, () => { put($("[data-machine]"), skeleton()); machine.ask(); })),
  off: () => { $("[data-machine-panel]").hidden = true; }, // METRICS_ENABLED
});

/** The welcome stands alone while there is neither a dataset nor a training. */
async function start() {
  const place = $("[data-failure]");
  try {
    const [datasets, trainings] = await Promise.all([getDatasets(), getLatest()]);
    put(place);
    const empty = !datasets.total && !trainings.total;
    $("[data-welcome]").hidden = !empty;
    $("[data-full]").hidden = empty;
    $("[data-actions]").hidden = empty;
    if (empty) return;
    showLatest(trainings, $("[data-latest]"));
    showDatasets(datasets, $("[data-datasets]"));
  } catch (error) {
    put(place, failure(error, start));
    $("[data-full]").hidden = true;
    return;
  }
  $("[data-full]").hidden = false;
  loadPaused();
  if (!watching) machine.start();
  watching = true;
}

let timer;
const later = () => { clearTimeout(timer); timer = setTimeout(() => { if (watching) { loadLatest(); loadDatasets(); } else start(); }, 500); };

sampleButton($("[data-sample]"));
active.addEventListener("change", () => { if (active.loaded) { showRunning(); showQueue(); showPaused(); } });
room.on("training_update", ({ training_id: id, epoch, metrics }) => cards.get(id)?.add({ epoch, ...metrics }))
  .on("snapshot", () => { loadPaused(); cards.forEach((card, id) => get(`/api/trainings/${id}/metrics`).then(({ epochs }) => card.set(epochs), () => {})); });
for (const event of ["training_completed", "training_error", "training_cancelled", "training_paused", "training_status", "dataset_update"]) room.on(event, later);
start();
