/* The dashboard: running and pending trainings, the latest results, the machine. */
import { get } from "../lib/api.js";
import { pictures, sampleButton } from "../datasets/common.js";
import { $, failure, fillFrom, h, icon, setChildren, skeleton } from "../lib/dom.js";
import { ago, bytes, number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { badge, bar, fraction, pauseText } from "../ui/status.js";
import { LiveCard } from "../trainings/live_card.js";
import { queueRow } from "../trainings/queue.js";
import { SystemFeed } from "../ui/system_feed.js";
import { trainingTable } from "../trainings/tables.js";
import { active, room } from "../trainings/current.js";

const cards = new Map(); // training id → LiveCard
let watching = false; // whether the machine is shown, and with it the whole page, since there is something to show

function showRunning() {
  const running = active.running;
  $("[data-running-count]").textContent = running.length > 1 ? number(running.length) : "";
  for (const [id, card] of cards)
    if (!running.some((item) => item.id === id)) {
      card.element.remove();
      cards.delete(id);
    }
  const container = $("[data-live]");
  if (!running.length) {
    setChildren(container, idle());
    return;
  }
  if (!cards.size) setChildren(container);
  for (const training of running) {
    const card = cards.get(training.id);
    if (card) {
      card.show(training);
      continue;
    }
    const fresh = new LiveCard(training);
    cards.set(training.id, fresh);
    container.append(fresh.element);
    fresh.start(training);
  }
}

const idle = () =>
  h(
    "div",
    { class: "panel idle" },
    h("span", {}, t("No run in progress.")),
    h("a", { class: "btn btn-outline btn-sm", href: "/trainings/new" }, icon("play-fill"), " ", t("New training run")),
  );

function rows(items, empty) {
  return items.length ? h("ul", { class: "rows" }, items) : h("p", { class: "panel-empty" }, empty);
}

function showQueue() {
  const waiting = active.pending;
  $("[data-queue-count]").textContent = waiting.length ? number(waiting.length) : "";
  setChildren(
    $("[data-queue]"),
    waiting.length
      ? h("ol", { class: "queue" }, waiting.slice(0, 4).map(queueRow))
      : h("p", { class: "panel-empty" }, t("The queue is empty.")),
  );
  $("[data-queue-more]").hidden = waiting.length < 2;
}

function showPaused() {
  const { paused } = active;
  $("[data-paused-panel]").hidden = !paused.length;
  $("[data-paused-count]").textContent = number(paused.length);
  setChildren(
    $("[data-paused]"),
    rows(
      paused
        .slice(0, 3)
        .map((training) =>
          h(
            "li",
            { class: "row-item" },
            h(
              "div",
              { class: "row-main" },
              h("a", { class: "name-link", href: `/trainings/${training.id}`, title: training.name }, training.name),
              h("span", { class: "under", title: pauseText(training) }, pauseText(training)),
            ),
            h("span", { class: "under tabular nowrap" }, percent(fraction(training))),
          ),
        ),
    ),
  );
}

/** The room's snapshot has the running and pending ones. */
async function loadPaused() {
  try {
    active.update((await get("/api/trainings", { status: "paused", per_page: 50 })).trainings);
  } catch {
    /* the list page has them */
  }
}

const getLatest = () => get("/api/trainings", { per_page: 10 });
const getDatasets = () => get("/api/datasets", { per_page: 4 });

function showLatest({ trainings }, container) {
  setChildren(
    container,
    trainings.length
      ? trainingTable(trainings, { compact: true, curves: true })
      : h("p", { class: "panel-empty" }, t("Results of completed runs appear here.")),
  );
}

function showDatasets({ datasets }, container) {
  setChildren(
    container,
    rows(
      datasets.map((item) =>
        h(
          "li",
          { class: "row-item" },
          h(
            "div",
            { class: "row-main" },
            h("a", { class: "name-link", href: `/datasets/${item.id}` }, item.name),
            h("span", { class: "under" }, pictures(item.total_images), " · ", ago(item.created_at)),
          ),
          badge(item.status),
        ),
      ),
      t("No datasets yet."),
    ),
  );
}

const loadLatest = () => fillFrom($("[data-latest]"), getLatest, showLatest);
const loadDatasets = () => fillFrom($("[data-datasets]"), getDatasets, showDatasets);

function meter(label, value, text) {
  return h(
    "div",
    { class: "meter" },
    h("div", { class: "meter-head" }, h("span", {}, label), h("span", {}, text)),
    bar(value, "is-plain", label),
  );
}

function showMachine(system, container) {
  const { cpu = {}, memory = {}, disk = {}, gpus = [] } = system;
  const used = (part) => t("{used} of {total}", { used: bytes(part.used), total: bytes(part.total) });
  setChildren(
    container,
    meter(
      t("CPU"),
      (cpu.percent ?? 0) / 100,
      [percent((cpu.percent ?? 0) / 100), cpu.count && tn("{n} core", "{n} cores", cpu.count)]
        .filter(Boolean)
        .join(" · "),
    ),
    memory.total && meter(t("Memory"), memory.used / memory.total, used(memory)),
    disk.total && meter(t("Disk"), disk.percent / 100, t("{free} free", { free: bytes(disk.free) })),
    gpus.length
      ? gpus.map((gpu) =>
          meter(
            gpu.name || t("GPU"),
            gpu.memory_total ? gpu.memory_used / gpu.memory_total : 0,
            gpu.memory_total ? used({ used: gpu.memory_used, total: gpu.memory_total }) : "",
          ),
        )
      : h("p", { class: "under" }, t("No GPU found. Runs use the CPU.")),
  );
}

const machine = new SystemFeed({
  show: (system) => showMachine(system, $("[data-machine]")),
  fail: (error) =>
    setChildren(
      $("[data-machine]"),
      failure(error, () => {
        setChildren($("[data-machine]"), skeleton());
        machine.ask();
      }),
    ),
  off: () => {
    $("[data-machine-panel]").hidden = true;
  }, // METRICS_ENABLED
});

/** The welcome is shown alone while there is neither a dataset nor a training. */
async function start() {
  const container = $("[data-failure]");
  try {
    const [datasets, trainings] = await Promise.all([getDatasets(), getLatest()]);
    setChildren(container);
    const empty = !datasets.total && !trainings.total;
    $("[data-welcome]").hidden = !empty;
    $("[data-full]").hidden = empty;
    $("[data-actions]").hidden = empty;
    if (empty) return;
    showLatest(trainings, $("[data-latest]"));
    showDatasets(datasets, $("[data-datasets]"));
  } catch (error) {
    setChildren(container, failure(error, start));
    $("[data-full]").hidden = true;
    return;
  }
  $("[data-full]").hidden = false;
  loadPaused();
  if (!watching) machine.start();
  watching = true;
}

let timer;
const later = () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (watching) {
      loadLatest();
      loadDatasets();
    } else start();
  }, 500);
};

sampleButton($("[data-sample]"));
active.on("change", () => {
  if (active.loaded) {
    showRunning();
    showQueue();
    showPaused();
  }
});
room
  .on("training_update", ({ training_id: id, epoch, metrics }) => cards.get(id)?.add({ epoch, ...metrics }))
  .on("snapshot", () => {
    loadPaused();
    cards.forEach((card, id) =>
      get(`/api/trainings/${id}/metrics`).then(
        ({ epochs }) => card.set(epochs),
        () => {},
      ),
    );
  });
for (const event of [
  "training_completed",
  "training_error",
  "training_cancelled",
  "training_paused",
  "training_status",
  "dataset_update",
])
  room.on(event, later);
start();
