/* One dataset: its head, its tabs, the progress of its child process, and the open image. */
import { showDamaged } from "../ui/damaged.js";
import { get } from "../lib/api.js";
import { $, failure, h, icon, setChildren } from "../lib/dom.js";
import { change, follow, go, read } from "../datasets/address.js";
import { Current } from "../datasets/current.js";
import { Decisions } from "../datasets/decisions.js";
import { eraseDataset } from "../datasets/erase.js";
import { showDownloads } from "../datasets/downloads.js";
import { FindingsTab } from "../datasets/findings.js";
import { Work } from "../datasets/fix.js";
import { ImagesTab } from "../datasets/images.js";
import { Readings } from "../datasets/readings.js";
import { renameDataset } from "../datasets/rename.js";
import { Revisions } from "../datasets/revisions.js";
import { showProgress } from "../datasets/progress.js";
import { Statistics } from "../datasets/statistics.js";
import { showSummary } from "../datasets/summary.js";
import { Tabs } from "../datasets/tabs.js";
import { TrainingsTab } from "../datasets/used.js";
import { Viewer } from "../datasets/viewer.js";
import { ago, dateTime, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { share, shareHelp, shareLabel, sharedText } from "../ui/sharing.js";
import { badge } from "../ui/status.js";
import { room } from "../trainings/current.js";

const current = new Current(Number($("[data-page]").dataset.id));
const panel = (name) => $(`[data-panel="${name}"]`);
const work = new Work(current, $("[data-fixed]"));
const statistics = new Statistics(current, panel("overview"));
const readings = new Readings(current, panel("overview"), (options) => work.change(options));
const decisions = new Decisions(current, panel("overview"), (options) => work.change(options), readings);
const revisions = new Revisions(current, panel("overview"), () => reload());
const overview = { enter: () => statistics.load(), changed: () => {} };
const views = {
  overview,
  images: new ImagesTab(current, panel("images")),
  findings: new FindingsTab(current, panel("findings"), (codes, groups) => work.fix(codes, groups)),
  trainings: new TrainingsTab(current, panel("trainings")),
};
const last = new Map(); // tab → its last state
const tabs = new Tabs($("[data-tabs]"), (name) => go({ tab: name === "overview" ? "" : name, ...last.get(name) }));
const viewer = new Viewer(current, {
  moved: (id) => change(view().located(id), { replace: true }),
  closed: (id) => {
    change({ ...view().located(id), image: "" }, { replace: true });
    view().focus(id);
  },
});
let progress = null; // the child process's last reported progress

const tabOf = (state) => (views[state.tab] ? state.tab : "overview");
const view = () => views[tabOf(read())];

/** Show the state of the address. `again`: it may be older than the image that the reader has stepped to. */
function route(state, { again = false } = {}) {
  const name = tabOf(state);
  const { tab: _tab, image, ...rest } = state;
  last.set(name, rest);
  tabs.show(name);
  if (!current.data) return;
  views[name].enter(state);
  const id = Number(image) || 0;
  if (again && viewer.isAhead) return;
  if (id && views[name].source && current.ready) viewer.show(id, views[name].source);
  else if (viewer.isOpen) viewer.hide();
}

function show() {
  const { data } = current;
  $("[data-name]").textContent = data.name;
  document.title = `${data.name} · YOLO Training Platform`;
  setChildren(
    $("[data-status]"),
    badge(data.status),
    data.needs_review &&
      h(
        "a",
        { class: "review-mark", href: "?", "data-go": "" },
        icon("exclamation-triangle-fill"),
        " ",
        t("Check the labels"),
      ),
  );
  setChildren(
    $("[data-sub]"),
    h("span", { title: dateTime(data.created_at) }, ago(data.created_at)),
    data.revision && ` · ${t("version {n}", { n: number(data.revision) })}`,
    sharedText(data),
    data.description && ` · ${data.description}`,
  );
  setChildren($("[data-share]"), icon("share"), ` ${shareLabel(data)}`);
  $("[data-share]").title = shareHelp();
  $("[data-share]").hidden = data.shared === undefined;
  $("[data-sub]").title = data.description || "";
  $("[data-train]").hidden = data.status !== "valid";
  showDamaged($("[data-failure]"), data.damaged);
  setChildren(
    $("[data-failure]"),
    data.status === "invalid" && failure({ title: t("This dataset can't be used for training"), detail: data.error }),
  );
  showProgress($("[data-progress]"), current, progress || data.progress);
  showSummary(panel("overview"), data, current.busy);
  showDownloads($("[data-downloads]"), current);
  $('[data-count="images"]').textContent = data.total_images ? number(data.total_images) : "";
  $("[data-class-count]").textContent = data.classes.length ? number(data.classes.length) : "";
  readings.show();
  decisions.show();
}

async function count() {
  if (!current.ready) {
    $('[data-count="findings"]').textContent = "";
    return;
  }
  const answer = await current.once("findings", { per_page: 1 }).catch(() => null);
  const total = answer ? answer.counts.error + answer.counts.warning : 0;
  setChildren($('[data-count="findings"]'), total > 0 && number(total));
}

async function countTrainings() {
  const { total } = await get("/api/trainings", { dataset_id: current.id, per_page: 1 }).catch(() => ({ total: 0 }));
  $('[data-count="trainings"]').textContent = total ? number(total) : "";
}

/** Load everything that changes with another revision or another state. */
async function reload({ anew = false } = {}) {
  const before = current.data && `${current.data.revision}:${current.data.status}`;
  try {
    await current.load();
  } catch (error) {
    setChildren($("[data-failure]"), failure(error, reload));
    $("[data-parts]").hidden = !current.data;
    return;
  }
  if (!current.data) return; // a later request is pending
  $("[data-parts]").hidden = false;
  if (anew || before !== `${current.data.revision}:${current.data.status}`) {
    current.forget();
    for (const item of Object.values(views)) item.changed();
  }
  show();
  route(read(), { again: true });
  count();
  await revisions.load();
  if (revisions.list) work.revisionsChanged(revisions.list);
}

room
  .on("dataset_update", (update) => {
    if (update.dataset_id !== current.id) return;
    progress = update.stage ? update : null;
    if (progress && current.data) showProgress($("[data-progress]"), current, progress);
    else reload({ anew: Boolean(update.index) }); // its index was rebuilt: requests failed before
  })
  .on("snapshot", () => {
    if (current.data) reload();
  });
current.on("started", () => reload());
current.on("confirmed", () => show());
document.addEventListener("click", (event) => {
  const link = /** @type {Element} */ (event.target).closest("a[data-go]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(Object.fromEntries(new URLSearchParams(link.getAttribute("href"))));
});
$("[data-delete]").addEventListener("click", async () => {
  if (await eraseDataset(current.data || { id: current.id, name: $("[data-name]").textContent }))
    window.location.assign("/datasets");
});
$("[data-rename]").addEventListener("click", async () => {
  if (current.data && (await renameDataset(current.data))) await reload();
});
$("[data-share]").addEventListener("click", async () => {
  if (current.data && (await share(`/api/datasets/${current.id}`, current.data))) await reload();
});
countTrainings();
tabs.show(tabOf(read()));
await reload();
follow(route);
