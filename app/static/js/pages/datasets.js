/* All datasets, and their upload: drop ZIPs, name them, send one after another, see them checked. */
import { get } from "../api.js";
import { classChips, pictures, sampleButton, splitBar } from "../datasets.js";
import { $, $$, blank, failure, h, icon, put, skeleton } from "../dom.js";
import { ago, bytes, dateTime, number } from "../format.js";
import { t } from "../i18n.js";
import { filters, showPager } from "../pager.js";
import { badge, bar } from "../status.js";
import { room } from "../trainings.js";
import { Uploads } from "../uploads.js";

const PER_PAGE = 24;
const form = $("[data-filters]");
const list = $("[data-list]");
const checking = new Map(); // dataset id → {done, total}
let shown = new Map();

function card(dataset) {
  const progress = checking.get(dataset.id);
  const busy = ["pending", "validating"].includes(dataset.status);
  return h("a", { class: "panel dataset-card", href: `/datasets/${dataset.id}`, "data-dataset": dataset.id },
    h("div", { class: "live-head" }, h("span", { class: "live-name", title: dataset.name }, dataset.name), badge(dataset.status)),
    dataset.status === "invalid" ? h("p", { class: "card-error", title: dataset.error }, dataset.error || t("It cannot be trained on. Open it to see why.")) : classChips(dataset.classes),
    busy ? [bar(progress?.total ? progress.done / progress.total : null, "", t("Checking")), h("div", { class: "split-legend" }, progress?.total ? t("{done} of {total} pictures checked", { done: number(progress.done), total: number(progress.total) }) : t("Waiting to be checked"))] : splitBar(dataset),
    h("div", { class: "live-row" }, h("span", {}, pictures(dataset.total_images), dataset.size_bytes ? ` · ${bytes(dataset.size_bytes)}` : ""), h("span", { title: dateTime(dataset.created_at) }, ago(dataset.created_at))));
}

async function load(query) {
  try {
    const answer = await get("/api/datasets", { ...query, per_page: PER_PAGE });
    show(answer, query);
  } catch (error) {
    put(list, failure(error, () => { put(list, skeleton(3, "skeleton-cards")); load(query); }));
  }
}

function show(answer, query) {
  shown = new Map(answer.datasets.map((item) => [item.id, item]));
  const filtered = query.search || query.status;
  form.hidden = !answer.total && !filtered;
  showPager($("[data-pager]"), answer, (page) => state.go(page));
  if (answer.datasets.length) put(list, answer.datasets.map(card));
  else put(list, filtered ? h("p", { class: "panel-empty" }, t("No dataset fits these filters.")) : empty());
}

function empty() {
  return blank({
    symbol: "images", title: t("No dataset yet"),
    text: t("A dataset is a ZIP of pictures with a label file each. The sample shows what it looks like, and can be trained on at once."),
    actions: [sampleButton(h("button", { class: "btn btn-primary", type: "button" }, icon("stars"), " ", t("Try with the sample dataset")))],
  });
}

let timer;
const reload = () => { clearTimeout(timer); timer = setTimeout(() => load(state.current()), 250); };

room.on("dataset_update", ({ dataset_id: id, status, done, total }) => {
  uploads.checked(id, { status, done, total });
  const known = shown.get(id);
  if (!known || known.status !== status) checking.delete(id);
  if (done !== undefined && done !== null) checking.set(id, { done, total });
  if (!known || !["pending", "validating"].includes(status)) { reload(); return; }
  known.status = status;
  $(`[data-dataset="${id}"]`, list)?.replaceWith(card(known));
});
room.on("snapshot", () => reload());

const page = $("[data-page]");
const uploads = new Uploads($("[data-uploads]"), { most: Number(page.dataset.maxUpload), post: Number(page.dataset.maxPost) }, reload);
const input = $("[data-files]");
$("[data-max]").textContent = bytes(Number(page.dataset.maxUpload));
for (const button of $$("[data-choose]")) button.addEventListener("click", () => input.click());
uploads.choose = () => input.click();
uploads.showUnfinished();
input.addEventListener("change", () => { uploads.add([...input.files]); input.value = ""; });
uploads.watch($("[data-drop]"));
sampleButton($("[data-sample]"));
const state = filters(form, load);
