/* Try a model on a picture: the boxes are drawn here, so the confidence slider answers at once. */
import { get, upload } from "../api.js";
import { $, $$, blank, failure, fillFrom, h, icon, put } from "../dom.js";
import { dropZone } from "../drop.js";
import { ago, dateTime, fixed, number, percent } from "../format.js";
import { t, tn } from "../i18n.js";
import { classColour } from "../palette.js";
import { showPager } from "../pager.js";

const form = $("[data-form]");
const select = form.elements.training_id;
const stage = { file: null, asked: null, detections: [] };
let models = [];

const colours = new Map();
function colour(name) {
  if (!colours.has(name)) colours.set(name, classColour(colours.size));
  return colours.get(name);
}

const thresholds = () => ({ confidence: Number(form.elements.confidence.value), iou: Number(form.elements.iou.value) });

async function start() {
  const wanted = new URLSearchParams(window.location.search).get("training_id");
  try {
    const pages = await Promise.all(["completed", "cancelled", "failed", "paused", "running"].map((status) => get("/api/trainings", { status, per_page: 100 })));
    models = pages.flatMap((page) => page.trainings).filter((item) => item.downloadable);
    put($("[data-failure]"));
    $("[data-bench]").hidden = !models.length;
    $("[data-none]").hidden = models.length > 0;
    if (!models.length) { put($("[data-none]"), none()); $("[data-history-panel]").hidden = true; return; }
    put(select, models.map((item) => h("option", { value: item.id, selected: String(item.id) === wanted }, `${item.name} · YOLOv8${item.model_version}`)));
    showModel();
    loadHistory();
  } catch (error) {
    put($("[data-failure]"), failure(error, start));
  }
}

const none = () => blank({
  symbol: "bounding-box", title: t("No trained model yet"), text: t("When a training has saved its first weights, they can be tried here."),
  actions: [h("a", { class: "btn btn-primary", href: "/trainings/new" }, icon("play-fill"), " ", t("New training"))],
});

function showModel() {
  const model = models.find((item) => String(item.id) === select.value);
  put($("[data-model-help]"), model ? [h("a", { href: `/trainings/${model.id}` }, model.dataset_name), model.best ? ` · mAP50 ${fixed(model.best.map50)}` : ""] : "");
}

/** One run at a time; the answer of an older one is dropped. */
let running = null;

async function run() {
  if (!stage.file || !select.value) return;
  running?.abort();
  const asked = { training_id: Number(select.value), ...thresholds() };
  const body = new FormData();
  for (const [name, value] of Object.entries(asked)) body.append(name, value);
  body.append("file", stage.file);
  const busy = $("[data-busy]");
  busy.hidden = false;
  put(busy, t("Sending the picture…"));
  const own = upload("/api/tests", body, ({ sent, total }) => {
    put(busy, sent < total ? t("Sending the picture: {percent}", { percent: percent(sent / total) }) : t("The model looks at it. The first picture takes longer: the model is loaded."));
  });
  running = own;
  try {
    const answer = await own.done;
    if (running !== own) return;
    Object.assign(stage, { asked, detections: answer.detections });
    put($("[data-times]"), h("span", { title: t("The model alone; in all {total} ms", { total: number(answer.total_time) }) }, icon("stopwatch"), " ", t("{time} ms", { time: number(answer.inference_time, 1) })));
    showDetections();
    loadHistory();
  } catch (error) {
    if (running !== own) return;
    put($("[data-found]"), failure(error, run));
  }
  if (running === own) { running = null; busy.hidden = true; }
}

function take(files) {
  const file = files.find((item) => item.type.startsWith("image/")) || files[0];
  if (!file) return;
  Object.assign(stage, { file, asked: null, detections: [] });
  const image = h("img", { alt: file.name });
  const old = $("[data-picture] img");
  if (old?.src.startsWith("blob:")) URL.revokeObjectURL(old.src);
  image.addEventListener("load", showDetections);
  image.addEventListener("error", () => { put($("[data-picture]"), h("p", { class: "panel-empty" }, t("The browser cannot show this picture; the table still lists what was found."))); });
  image.src = URL.createObjectURL(file);
  put($("[data-picture]"), image);
  $("[data-picture]").hidden = false;
  $("[data-drop]").classList.remove("drop-tall");
  put($("[data-found]"), h("p", { class: "panel-empty" }, t("Looking…")));
  run();
}

/** Boxes at or above the slider; lower ones, or another IoU, need another run. */
function showDetections() {
  const { confidence, iou } = thresholds();
  const image = $("[data-picture] img");
  if (!stage.asked) return;
  $("[data-again]").hidden = confidence >= stage.asked.confidence && iou === stage.asked.iou && Number(select.value) === stage.asked.training_id;
  const shown = stage.detections.filter((item) => item.confidence >= confidence);
  $("[data-found-count]").textContent = number(shown.length);
  for (const box of $$("[data-picture] .box")) box.remove();
  if (image?.naturalWidth) $("[data-picture]").append(...shown.map((item, index) => box(item, index, image)));
  put($("[data-found]"), shown.length ? table(shown) : h("p", { class: "panel-empty" }, t("Nothing above this confidence. Lower it to see weaker guesses.")));
}

function box({ class: name, confidence, bbox: [x1, y1, x2, y2] }, index, image) {
  const share = (value, whole) => `${(100 * value) / whole}%`;
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  return h("div", { class: `box ${y1 / height < 0.06 ? "is-top" : ""}`, "data-index": index, style: { "--box": colour(name), left: share(x1, width), top: share(y1, height), width: share(x2 - x1, width), height: share(y2 - y1, height) } },
    h("span", { class: "box-label" }, `${name} ${percent(confidence)}`));
}

function mark(index, is) {
  $(`[data-picture] .box[data-index="${index}"]`)?.classList.toggle("is-marked", is);
}

function table(detections) {
  return h("div", { class: "table-wrap" }, h("table", { class: "list" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("Class")), h("th", { scope: "col", class: "number" }, t("Confidence")), h("th", { scope: "col", class: "number" }, t("Box (px)")))),
    h("tbody", {}, detections.map(({ class: name, confidence, bbox: [x1, y1, x2, y2] }, index) => h("tr", { tabindex: 0, onmouseenter: () => mark(index, true), onmouseleave: () => mark(index, false), onfocus: () => mark(index, true), onblur: () => mark(index, false) },
      h("td", {}, h("span", { class: "swatch", style: { "--box": colour(name) } }), name),
      h("td", { class: "number strong" }, percent(confidence, 1)),
      h("td", { class: "number under" }, `${number(x1)}, ${number(y1)} · ${number(x2 - x1)} × ${number(y2 - y1)}`))))));
}

function loadHistory(page = 1) {
  return fillFrom($("[data-history]"), () => get("/api/tests", { page, per_page: 12 }), (answer, place) => {
    $("[data-history-count]").textContent = answer.total ? number(answer.total) : "";
    showPager($("[data-pager]"), answer, loadHistory);
    put(place, answer.tests.length ? answer.tests.map(shot) : h("p", { class: "panel-empty" }, t("Pictures that were tried stay here.")));
  });
}

function shot(test) {
  const found = tn("{n} thing found", "{n} things found", test.detections.length);
  return h("a", { class: "shot", href: test.image_url, target: "_blank", rel: "noopener", title: dateTime(test.created_at) },
    h("img", { src: test.image_url, alt: found, loading: "lazy" }),
    h("span", { class: "shot-text" }, h("strong", {}, found), h("span", { class: "quiet" }, test.training_name), h("span", { class: "quiet" }, ago(test.created_at))));
}

function showValues() {
  for (const output of $$("[data-value]")) output.textContent = percent(Number(form.elements[output.dataset.value].value));
}

const input = $("[data-file]");
$("[data-choose]").addEventListener("click", () => input.click());
input.addEventListener("change", () => { take([...input.files]); input.value = ""; });
document.addEventListener("paste", (event) => { if (event.clipboardData?.files.length) take([...event.clipboardData.files]); });
form.addEventListener("input", () => { showValues(); showDetections(); });
select.addEventListener("change", () => { showModel(); run(); });
$("[data-again]").addEventListener("click", run);
form.addEventListener("submit", (event) => event.preventDefault());
dropZone($("[data-stage]"), take);
showValues();
start();
