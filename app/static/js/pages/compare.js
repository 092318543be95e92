/* Trainings side by side. */
import { get } from "../lib/api.js";
import { $, $$, blank, failure, h, icon, longName, setChildren, skeleton, toast } from "../lib/dom.js";
import { doubt, settings, settingsTable, valueTable } from "../trainings/differences.js";
import { percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { Overlay, colourOf, isDashed } from "../charts/overlay.js";
import { CHARTS } from "../trainings/compared.js";
import { MOST, parse, query } from "../trainings/comparison_address.js";
import { pickRuns } from "../trainings/run_picker.js";
import { smoothing } from "../charts/smoothing.js";
import { trainingBadge } from "../ui/status.js";
import { room } from "../trainings/current.js";

const AGAIN_MS = 3000; // a running training's points are drawn at most this often
const overlays = new Map(); // metric → Overlay
let state = parse(window.location.search);
let runs = [];
let answer = null;
let slots = []; // ids by colour: a run keeps its colour when another one is removed

function write(change, replace = false) {
  state = { ...state, ...change };
  window.history[replace ? "replaceState" : "pushState"](null, "", query(state) || window.location.pathname);
}

const swatch = (run) =>
  h("span", {
    class: `key-line ${isDashed(run.slot) ? "is-dashed" : ""}`,
    style: { color: `var(${colourOf(run.slot)})` },
    "aria-hidden": "true",
  });

async function load() {
  const container = $("[data-failure]");
  $("[data-none]").hidden = state.ids.length > 0;
  $("[data-comparison]").hidden = !state.ids.length;
  showTools();
  if (!state.ids.length) {
    setChildren($("[data-none]"), none());
    runs = [];
    showRuns();
    return;
  }
  try {
    answer = await get("/api/trainings/compare", { ids: state.ids.join(",") });
    setChildren(container);
    show();
  } catch (error) {
    $("[data-comparison]").hidden = !answer;
    const removed = error.status === 404; // another request would not bring them back
    $("[data-none]").hidden = !removed;
    setChildren($("[data-none]"), removed && none());
    const retry = () => {
      setChildren(container, skeleton(2));
      load();
    };
    setChildren(container, failure(error, removed ? null : retry));
  }
}

const none = () =>
  blank({
    symbol: "layers",
    title: t("Compare runs"),
    text: tn(
      "Choose up to {n} run. Compare curves, best values and settings side by side.",
      "Choose up to {n} runs. Compare curves, best values and settings side by side.",
      MOST,
    ),
    actions: [
      h("button", { class: "btn btn-primary", type: "button", onclick: add }, icon("plus-lg"), " ", t("Choose runs")),
    ],
  });

function show() {
  const { trainings, curves, missing } = answer;
  if (missing.length) {
    toast(tn("{n} run no longer exists.", "{n} runs no longer exist.", missing.length));
    write({ ids: state.ids.filter((id) => !missing.includes(id)) }, true);
  }
  slots = slots.map((id) => (state.ids.includes(id) ? id : null));
  for (const { id } of trainings)
    if (!slots.includes(id)) {
      const free = slots.indexOf(null);
      if (free < 0) slots.push(id);
      else slots[free] = id;
    }
  runs = trainings.map((training, index) => ({
    id: training.id,
    name: training.name,
    training,
    active: !["completed", "failed", "cancelled"].includes(training.status),
    curves: curves[index],
    slot: slots.indexOf(training.id),
  }));
  showRuns();
  showCharts();
  showDoubt();
  setChildren($("[data-values]"), valueTable(runs, answer.differs, swatch));
  showSettings();
}

/** Above the figures: what can't be ranked, and why. */
function showDoubt() {
  const text = runs.length > 1 && doubt(answer.differs);
  setChildren(
    $("[data-doubt]"),
    text &&
      h(
        "div",
        { class: "notice is-warning", role: "status" },
        icon("exclamation-triangle-fill"),
        h("div", { class: "notice-text" }, h("strong", {}, t("Not directly comparable")), text),
      ),
  );
  $("[data-trophy]").hidden = answer.differs.some((code) => code !== "model");
}

function showRuns() {
  const chip = (run) =>
    h(
      "li",
      { class: "run-chip" },
      swatch(run),
      h("a", { class: "name-link", href: `/trainings/${run.id}`, title: run.name }, longName(run.name)),
      trainingBadge(run.training),
      h(
        "button",
        {
          class: "icon-button",
          type: "button",
          title: t("Remove"),
          "aria-label": t("Remove {name}", { name: run.name }),
          onclick: () => {
            write({ ids: state.ids.filter((id) => id !== run.id) });
            load();
          },
        },
        icon("x-lg"),
      ),
    );
  setChildren($("[data-runs]"), runs.map(chip));
  $("[data-tools]").hidden = !state.ids.length;
  $("[data-add]").disabled = state.ids.length >= MOST;
  $("[data-add]").title =
    state.ids.length >= MOST
      ? tn(
          "You can compare up to {n} run. Remove one first.",
          "You can compare up to {n} runs. Remove one first.",
          MOST,
        )
      : "";
  $("[data-sub]").textContent = runs.length ? tn("{n} run", "{n} runs", runs.length) : "";
  $("[data-hint]").hidden = runs.length !== 1;
}

function showCharts() {
  for (const [key, overlay] of overlays)
    if (!state.charts.includes(key)) {
      overlay.end();
      overlays.delete(key);
    }
  const grid = $("[data-charts]");
  if (!overlays.size) setChildren(grid);
  for (const spec of CHARTS.filter(({ key }) => state.charts.includes(key))) {
    if (!overlays.has(spec.key)) {
      const fresh = new Overlay(spec, state.axis);
      const next = CHARTS.slice(CHARTS.indexOf(spec) + 1)
        .map(({ key }) => overlays.get(key)?.element)
        .find(Boolean);
      grid.insertBefore(fresh.element, next || null);
      overlays.set(spec.key, fresh.start());
    }
    overlays.get(spec.key).show(runs, state.axis);
  }
}

function showSettings() {
  const trainings = runs.map(({ training }) => training);
  const differ = runs.length > 1 ? settings(trainings, answer.defaults).filter(({ differs }) => differs).length : 0;
  $("[data-differ]").textContent = differ ? tn("{n} difference", "{n} differences", differ) : "";
  setChildren($("[data-settings]"), settingsTable(runs, answer.defaults, state.all || runs.length === 1, swatch));
}

function showTools() {
  for (const button of $$("[data-axis]")) button.setAttribute("aria-pressed", button.dataset.axis === state.axis);
  for (const box of $$("[data-chart]")) box.checked = state.charts.includes(box.dataset.chart);
  $("[data-all]").checked = state.all;
  $("[data-smooth]").value = smoothing.weight;
  $("[data-smooth-value]").textContent = smoothing.weight ? percent(smoothing.weight) : t("off");
}

async function add() {
  const ids = await pickRuns(state.ids, MOST - state.ids.length);
  if (!ids?.length) return;
  write({ ids: [...state.ids, ...ids] });
  load();
}

async function copy() {
  try {
    await navigator.clipboard.writeText(window.location.href);
    toast(t("Link copied. It opens this comparison."), "success");
  } catch {
    toast(t("Copy this page's URL to share the comparison."));
  }
}

function setSmooth(weight, replace = true) {
  smoothing.set(weight);
  write({ smooth: weight }, replace);
  $("[data-smooth-value]").textContent = weight ? percent(weight) : t("off");
}

setChildren(
  $("[data-chart-choice]"),
  CHARTS.map(({ key, title }) =>
    h(
      "label",
      { class: "chip-choice" },
      h("input", {
        type: "checkbox",
        "data-chart": key,
        onchange: () => {
          const charts = CHARTS.map((chart) => chart.key).filter((name) => $(`[data-chart="${name}"]`).checked);
          if (!charts.length) {
            $(`[data-chart="${key}"]`).checked = true;
            return;
          }
          write({ charts });
          showCharts();
        },
      }),
      h("span", {}, title),
    ),
  ),
);
$("[data-add]").addEventListener("click", add);
$("[data-copy]").addEventListener("click", copy);
$("[data-all]").addEventListener("change", ({ target }) => {
  write({ all: target.checked });
  showSettings();
});
$("[data-smooth]").addEventListener("input", ({ target }) => setSmooth(Number(target.value)));
for (const button of $$("[data-axis]"))
  button.addEventListener("click", () => {
    write({ axis: button.dataset.axis });
    showTools();
    for (const overlay of overlays.values()) overlay.show(runs, state.axis);
  });
window.addEventListener("popstate", () => {
  state = parse(window.location.search);
  if (state.smooth !== smoothing.weight) smoothing.set(state.smooth);
  load();
});

let timer = null;
const later = ({ training_id: id }) => {
  if (state.ids.includes(id))
    timer ??= setTimeout(() => {
      timer = null;
      load();
    }, AGAIN_MS);
};
for (const event of [
  "training_update",
  "training_status",
  "training_completed",
  "training_error",
  "training_cancelled",
])
  room.on(event, later);
room.on("snapshot", () => {
  if (answer && runs.some(({ training }) => training.status === "running")) load();
});
smoothing.set(state.smooth);
load();
