/* All trainings: filtered, sorted and paged by the server; the address holds the state. */
import { deleteForGood, restore } from "../actions.js";
import { get } from "../api.js";
import { $, blank, button, failure, h, icon, put, skeleton, toast } from "../dom.js";
import { t, tn } from "../i18n.js";
import { filters, showPager } from "../pager.js";
import { QueueView } from "../queue.js";
import { trainingTable } from "../tables.js";
import { active } from "../trainings.js";

const PER_PAGE = 25;
const form = $("[data-filters]");
const list = $("[data-list]");
const inTrash = new URLSearchParams(window.location.search).get("trash") === "true"; // another page to the reader
let asked = 0;
let page = null;

async function load(query) {
  const turn = ++asked;
  list.setAttribute("aria-busy", "true");
  try {
    const answer = await get("/api/trainings", { ...query, per_page: PER_PAGE });
    if (turn === asked) show(answer, query);
  } catch (error) {
    if (turn !== asked) return;
    put(list, failure(error, () => { put(list, skeleton(6)); load(query); }));
    $("[data-pager]").hidden = true;
  }
  list.removeAttribute("aria-busy");
}

function show(answer, query) {
  page = answer;
  $("[data-sub]").textContent = tn("{n} training", "{n} trainings", answer.total);
  const filtered = query.search || query.status || query.dataset_id;
  if (answer.trainings.length) put(list, trainingTable(answer.trainings, inTrash ? { actions: trashActions } : {}));
  else if (filtered) put(list, h("p", { class: "panel-empty" }, t("No training fits these filters.")));
  else put(list, inTrash ? emptyTrash() : empty());
  showPager($("[data-pager]"), answer, (number) => state.go(number));
}

const empty = () => blank({
  symbol: "graph-up", title: t("No training yet"),
  text: t("A training teaches a model on one of your datasets. Its curves appear while it runs."),
  actions: [h("a", { class: "btn btn-primary", href: "/trainings/new" }, icon("play-fill"), " ", t("New training"))],
});

const emptyTrash = () => blank({ symbol: "trash3", title: t("The trash is empty"), text: t("A deleted training stays here for a while and can be restored.") });

/** What can be done with a training in the trash. */
function trashActions(training) {
  const again = () => load(state.current());
  return [
    button("arrow-counterclockwise", t("Restore"), () => restore(training, () => { toast(t("“{name}” is back.", { name: training.name }), "success"); return again(); }), "btn-outline btn-sm"),
    button("trash3", t("Delete for good"), () => deleteForGood(training, again), "btn-outline btn-danger-quiet btn-sm"),
  ];
}

/** Rows that run move in place; a change of state asks the server, which knows order and filters. */
function follow({ detail: { id, training } }) {
  const index = page?.trainings.findIndex((item) => item.id === id) ?? -1;
  if (!id || !page || inTrash) return;
  if (index < 0 || !training || training.status !== page.trainings[index].status) { soon(); return; }
  page.trainings[index] = { ...page.trainings[index], ...training };
  const fresh = trainingTable([page.trainings[index]]).querySelector("tbody tr");
  list.querySelector(`tr[data-training="${id}"]`)?.replaceWith(fresh);
}

let timer;
const soon = () => { clearTimeout(timer); timer = setTimeout(() => load(state.current()), 400); };

async function fillDatasets() {
  const select = form.querySelector("[name=dataset_id]");
  try {
    const { datasets } = await get("/api/datasets", { per_page: 100, sort: "name" });
    select.append(...datasets.map((item) => h("option", { value: item.id }, item.name)));
  } catch { /* the filter stays at "all" */ }
}

if (!inTrash) new QueueView($("[data-queue-panel]"));
await fillDatasets();
const state = filters(form, load);
active.addEventListener("change", follow);
