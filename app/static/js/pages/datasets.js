/* All datasets, and their upload: drop ZIPs, name them, send one after another, follow their validation. */
import { get } from "../lib/api.js";
import { card } from "../datasets/card.js";
import { eraseDataset } from "../datasets/erase.js";
import { importFolder } from "../datasets/import_folder.js";
import { sampleButton } from "../datasets/common.js";
import { $, $$, blank, failure, h, icon, setChildren, skeleton } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { filters, showPager } from "../ui/pager.js";
import { serverUploads } from "../datasets/server_uploads.js";
import { room } from "../trainings/current.js";
import { Uploads } from "../datasets/uploads.js";

const PER_PAGE = 24;
const form = $("[data-filters]");
const list = $("[data-list]");
const checking = new Map(); // dataset id → {stage, done, total}
let cards = new Map();

const cachedCard = (dataset) =>
  card(dataset, checking.get(dataset.id), async () => {
    if (await eraseDataset(dataset)) reload();
  });

async function load(query) {
  try {
    const answer = await get("/api/datasets", { ...query, per_page: PER_PAGE });
    show(answer, query);
  } catch (error) {
    setChildren(
      list,
      failure(error, () => {
        setChildren(list, skeleton(3, "skeleton-cards"));
        load(query);
      }),
    );
  }
}

function show(answer, query) {
  cards = new Map(answer.datasets.map((item) => [item.id, item]));
  const filtered = query.search || query.status || query.created_by;
  form.hidden = !answer.total && !filtered;
  $("[data-total]").textContent = answer.total ? tn("{n} dataset", "{n} datasets", answer.total) : "";
  if (state.beyond(answer)) return;
  showPager($("[data-pager]"), answer, (page) => state.go(page));
  if (answer.datasets.length) setChildren(list, answer.datasets.map(cachedCard));
  else
    setChildren(
      list,
      h(
        "div",
        { class: "panel dataset-none" },
        filtered ? state.nothing(t("No datasets match these filters.")) : empty(),
      ),
    );
}

function empty() {
  return blank({
    symbol: "images",
    title: t("No datasets yet"),
    text: t(
      "A dataset is a ZIP of images and labels, as exported by annotation tools. The sample dataset shows " +
        "the structure and is ready for training.",
    ),
    actions: [
      sampleButton(
        h("button", { class: "btn btn-primary", type: "button" }, icon("stars"), " ", t("Use the sample dataset")),
      ),
    ],
  });
}

let timer;
const reload = () => {
  clearTimeout(timer);
  timer = setTimeout(() => load(state.current()), 250);
};

room.on("dataset_update", ({ dataset_id: id, status, ...progress }) => {
  const { stage } = progress;
  uploads.checked(id, { status, ...progress });
  const listed = cards.get(id);
  if (stage) checking.set(id, progress);
  else checking.delete(id);
  if (!listed || !stage) {
    reload();
    return;
  }
  listed.status = status;
  const old = $(`[data-dataset="${id}"]`, list);
  if (old && !old.contains(document.activeElement)) old.replaceWith(cachedCard(listed));
});
room.on("snapshot", () => reload());

const page = $("[data-page]");
const uploads = new Uploads(
  $("[data-uploads]"),
  { most: Number(page.dataset.maxUpload), post: Number(page.dataset.maxPost) },
  reload,
);
const input = $("[data-files]");
$("[data-max]").textContent = t("Up to {size} per file.", { size: bytes(Number(page.dataset.maxUpload)) });
for (const button of $$("[data-choose]")) button.addEventListener("click", () => input.click());
uploads.choose = () => input.click();
uploads.showUnfinished().then((mine) => serverUploads($("[data-server-uploads]"), mine));
input.addEventListener("change", () => {
  uploads.add([...input.files]);
  input.value = "";
});
uploads.watch($("[data-drop]"));
sampleButton($("[data-sample]"));
$("[data-import]")?.addEventListener("click", async () => {
  const id = await importFolder();
  if (id !== null) window.location.assign(`/datasets/${id}`);
});
const state = filters(form, load);
