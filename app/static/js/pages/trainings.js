/* All trainings: filtered, sorted and paged by the server; the address has the state. */
import { deleteForGood, restore } from "../trainings/actions.js";
import { addModel } from "../trainings/add_model.js";
import { get } from "../lib/api.js";
import { $, blank, button, failure, h, icon, setChildren, skeleton, toast } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { filters, offer, showPager } from "../ui/pager.js";
import { QueueView } from "../trainings/queue.js";
import { Selection } from "../ui/selection.js";
import { taskName } from "../trainings/architectures.js";
import { trainingRow, trainingTable } from "../trainings/tables.js";
import { active, room } from "../trainings/current.js";

const PER_PAGE = 25;
const form = $("[data-filters]");
const list = $("[data-list]");
// to the reader this is another page
const inTrash = new URLSearchParams(window.location.search).get("trash") === "true";
let turns = 0;
let page = null;
const selection = inTrash ? null : new Selection($("[data-bulk]"), list, () => load(state.current()));

async function load(query) {
  const turn = ++turns;
  list.setAttribute("aria-busy", "true");
  try {
    const answer = await get("/api/trainings", { ...query, per_page: PER_PAGE });
    if (turn === turns) show(answer, query);
  } catch (error) {
    if (turn !== turns) return;
    setChildren(
      list,
      failure(error, () => {
        setChildren(list, skeleton(6));
        load(query);
      }),
    );
    $("[data-pager]").hidden = true;
  }
  list.removeAttribute("aria-busy");
}

function show(answer, query) {
  page = answer;
  $("[data-sub]").textContent = answer.total ? tn("{n} run", "{n} runs", answer.total) : t("No runs");
  const filtered = query.search || query.status || query.dataset_id || query.model || query.task || query.created_by;
  form.hidden = !answer.total && !filtered;
  if (state.beyond(answer)) return;
  if (answer.trainings.length) setChildren(list, trainingTable(answer.trainings, options(query)));
  else if (filtered) setChildren(list, state.nothing(t("No runs match these filters.")));
  else setChildren(list, inTrash ? emptyTrash() : empty());
  selection?.refresh(answer.trainings);
  showPager($("[data-pager]"), answer, (to) => state.go(to));
}

const options = (query) => ({
  curves: true,
  ...(inTrash ? { actions: trashActions } : { selection }),
  sort: { by: query.sort, go: (key) => state.set("sort", key) },
});

const empty = () =>
  blank({
    symbol: "graph-up",
    title: t("No runs yet"),
    text: t("Train a model on one of your datasets. Metrics appear while the run is in progress."),
    actions: [
      h("a", { class: "btn btn-primary", href: "/trainings/new" }, icon("play-fill"), " ", t("New training run")),
    ],
  });

const emptyTrash = () =>
  blank({
    symbol: "trash3",
    title: t("The trash is empty"),
    text: t("Deleted runs stay here for some days and can be restored."),
  });

/** The actions on a training in the trash. */
function trashActions(training) {
  const again = () => load(state.current());
  return [
    button(
      "arrow-counterclockwise",
      t("Restore"),
      () =>
        restore(training, () => {
          toast(t("“{name}” was restored.", { name: training.name }), "success");
          return again();
        }),
      "btn-outline btn-sm",
    ),
    button(
      "trash3",
      t("Delete permanently"),
      () => deleteForGood(training, again),
      "btn-outline btn-danger-quiet btn-sm",
    ),
  ];
}

/** Rows of running trainings are updated in place; a change of state reloads the list, since the server knows order and
 *  filters. */
function follow({ id, training }) {
  const index = page?.trainings.findIndex((item) => item.id === id) ?? -1;
  if (!id || !page || inTrash) return;
  if (index < 0 || !training || training.status !== page.trainings[index].status) {
    soon();
    return;
  }
  page.trainings[index] = { ...page.trainings[index], ...training };
  const old = list.querySelector(`tr[data-training="${id}"]`);
  if (!old || old.contains(document.activeElement)) return; // it would lose the focus
  old.replaceWith(trainingRow(page.trainings[index], options(state.current())));
}

let timer;
const soon = () => {
  clearTimeout(timer);
  timer = setTimeout(() => load(state.current()), 400);
};

async function offerChoices() {
  try {
    const { datasets, models, tasks } = await get("/api/trainings/filters");
    const label = (name, count) => `${name} (${number(count)})`;
    offer(
      form.querySelector("[name=dataset_id]"),
      datasets.map(({ id, name, trainings }) => [String(id), label(name, trainings)]),
    );
    offer(
      form.querySelector("[name=model]"),
      models.map(({ name, trainings }) => [name, label(name.replace(/^yolov8/, "YOLOv8"), trainings)]),
    );
    offer(
      form.querySelector("[name=task]"),
      tasks.map(({ name, trainings }) => [name, label(taskName(name), trainings)]),
    );
    form.querySelector("[name=task]").hidden = tasks.length < 2 && !state.current().task;
  } catch {
    /* the filters stay at "all" */
  }
}

if (!inTrash) new QueueView($("[data-queue-panel]"));
$("[data-add-model]")?.addEventListener("click", async () => {
  try {
    await addModel();
  } catch (error) {
    toast(error.detail || error.title, "failed");
  }
});
const state = filters(form, load);
offerChoices();
active.on("change", follow);
room.on("training_update", ({ training_id: id, epoch, metrics }) => {
  const training = page?.trainings.find((item) => item.id === id);
  if (!training || metrics?.map50 === undefined || metrics.map50 === null) return;
  training.spark = [...(training.spark || []).filter(([earlier]) => earlier < epoch), [epoch, metrics.map50]];
  if (!training.best || metrics.map50 > training.best.map50) training.best = { ...training.best, ...metrics, epoch };
});
