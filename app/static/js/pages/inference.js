/* Try models on images, a video or the camera. Detections are drawn here, so that the confidence slider takes effect
   immediately. */
import { $, $$, blank, failure, h, icon, setChildren, toast } from "../lib/dom.js";
import { dropZone } from "../ui/drop.js";
import { t } from "../lib/i18n.js";
import { Bench } from "../inference/bench.js";
import { CameraView } from "../inference/camera.js";
import { Downloads } from "../inference/downloads.js";
import { Gallery } from "../inference/gallery.js";
import { TestHistory } from "../inference/history.js";
import { firstModel, ModelPicker, rivalOf } from "../inference/models.js";
import { fromServer, Pictures } from "../inference/pictures.js";
import { showDetections } from "../inference/results.js";
import { settings } from "../inference/settings.js";
import { VideoView } from "../inference/video.js";
import { VideoJobs } from "../inference/video_jobs.js";
import { number } from "../lib/format.js";

const VIDEO = /\.(mp4|webm|mov|m4v|mkv|avi|ogv|wmv|asf|flv|mpe?g|m2?ts|ts|vob|3gp)$/i;
const form = $("[data-form]");
const pickers = { a: new ModelPicker($("[data-picker=a]"), "a"), b: new ModelPicker($("[data-picker=b]"), "b") };
const comparing = () => form.elements.compare.checked && mode === "pictures";
const pictures = new Pictures(() => (form.elements.compare.checked ? pickers : { a: pickers.a }));
const bench = new Bench(pictures, comparing);
const gallery = new Gallery(pictures, (item) => {
  if (item) pictures.askAbout(item);
  bench.select(item);
  classes();
});
const history = new TestHistory(reopen);
const video = new VideoView($("[data-mode-video]"), pickers.a, (sample) => {
  if (mode === "video") showLive(sample, t("This position hasn't been analyzed yet."));
});
const videoJobs = new VideoJobs(pickers.a, () => settings);
const camera = new CameraView(
  pickers.a,
  (sample) => {
    if (mode === "camera") showLive(sample);
  },
  (file) => addFiles([file], false),
);
const downloads = new Downloads({ pictures, bench, video, camera, picker: pickers.a }, () => mode, comparing);
let mode = "pictures";

async function start() {
  try {
    const first = await firstModel();
    setChildren($("[data-failure]"));
    $("[data-bench]").hidden = $("[data-tabs]").hidden = !first.training;
    $("[data-none]").hidden = Boolean(first.training);
    $("[data-loading]").hidden = true;
    if (!first.training) {
      setChildren($("[data-none]"), none());
      $("[data-history-panel]").hidden = true;
      return;
    }
    if (first.missing) toast(t("The requested model has no weights yet. Showing the newest model that has."), "info");
    $("[data-history-panel]").hidden = false;
    history.load();
    await pickers.a.choose(first.training, first.checkpoint);
  } catch (error) {
    if (!error.title) console.error(error);
    $("[data-loading]").hidden = true;
    setChildren($("[data-failure]"), failure(error, start));
  }
}

const none = () =>
  blank({
    symbol: "bounding-box",
    title: t("No trained model yet"),
    text: t("Models appear here once a run has saved its first weights."),
    actions: [
      h("a", { class: "btn btn-primary", href: "/trainings/new" }, icon("play-fill"), " ", t("New training run")),
    ],
  });

/** Images and videos, dropped, pasted or chosen. */
function addFiles(files, choose = true) {
  const film = files.find((file) => file.type.startsWith("video/") || VIDEO.test(file.name));
  if (film) {
    setMode("video");
    video.load(film);
    return;
  }
  if (!files.length) return;
  if (choose) setMode("pictures");
  const [first] = pictures.add(files);
  if (choose || !gallery.current) gallery.choose(first);
}

/** A test from the history, with the model that was used. */
function reopen(test) {
  setMode("pictures");
  const answer = fromServer(test, {
    key: "",
    model: [test.training_name, test.checkpoint].filter(Boolean).join(" · "),
    iou: test.iou_threshold,
  });
  gallery.choose(
    pictures.addAnswered({
      test: test.id,
      name: test.filename || t("Test {id}", { id: test.id }),
      url: `/api/tests/${test.id}/input`,
      answers: { a: answer },
    }),
  );
  $("[data-stage]").scrollIntoView({ block: "nearest" });
}

function setMode(chosen) {
  if (mode === "camera" && chosen !== "camera") camera.stop();
  if (mode === "video" && chosen !== "video") video.leave();
  mode = chosen;
  for (const name of ["pictures", "video", "camera"]) {
    $(`[data-mode-${name}]`).hidden = name !== mode;
    const tab = $(`[data-mode=${name}]`);
    tab.setAttribute("aria-selected", name === mode);
    tab.tabIndex = name === mode ? 0 : -1;
  }
  form.elements.compare.closest(".field").hidden = mode !== "pictures";
  settings.compare(comparing());
  $("[data-picker=b]").hidden = !comparing();
  $("[data-results]").setAttribute("aria-live", mode === "pictures" ? "polite" : "off");
  if (mode === "pictures") bench.refresh();
  else showLive(null, mode === "video" ? t("Detections are listed here.") : undefined);
  video.refresh();
  videoJobs.show(mode === "video");
  stale();
}

/** The detections in a frame. */
function showLive(sample, empty = t("Detections are listed here.")) {
  const visible = settings.visible(sample?.detections);
  $("[data-found-count]").textContent = sample && !visible[0]?.top5 ? number(visible.length) : "";
  setChildren($("[data-times]"), sample ? t("{time} ms", { time: number(sample.time, 1) }) : "");
  if (sample)
    showDetections($("[data-found]"), visible, (item) => (mode === "video" ? video : camera).viewer?.mark(item));
  else setChildren($("[data-found]"), h("p", { class: "panel-empty" }, empty));
  classes();
}

/** The answers of the selected models; those of others cannot be shown beside them. */
function answered(item) {
  if (!item || pictures.stale(item)) return [];
  return (comparing() ? ["a", "b"] : ["a"]).map((side) => item.answers[side]).filter(Boolean);
}

/** The detections in the selected image, for the class list. */
function classes() {
  if (mode === "video") settings.listClasses([...video.samples.values()].flatMap((sample) => sample.detections));
  else if (mode === "camera") settings.listClasses(camera.last?.detections || []);
  else settings.listClasses(...answered(gallery.current).map((answer) => answer.detections));
}

/** Offer to repeat the requests if the model or the IoU has changed. */
function stale() {
  $("[data-again]").hidden =
    mode !== "pictures" || pictures.busy || !pictures.items.some((item) => pictures.stale(item));
}

function redraw() {
  if (mode === "pictures") bench.refresh();
  gallery.show();
  video.refresh();
  camera.refresh();
  classes();
}

/** Hide the controls of boxes if every model classifies whole images. */
function showControls() {
  const active = comparing() ? [pickers.a, pickers.b] : [pickers.a];
  settings.compare(comparing());
  $("[data-bench]").classList.toggle("is-two", comparing());
  form.classList.toggle(
    "is-whole",
    active.every(({ training }) => training?.task === "classify"),
  );
}

function modelChanged() {
  showControls();
  const address = new URLSearchParams({
    training_id: pickers.a.training.id,
    ...(pickers.a.select.value && { checkpoint: pickers.a.select.value }),
  });
  window.history.replaceState(null, "", `?${address}`);
  settings.forgetClasses();
  settings.recommend(pickers.a.recommended, pickers.a.chosen);
  askAgain();
  video.forget();
  stale();
}

/** The selected image is sent to the selected models; the others when they are selected, or all by the button. */
function askAgain() {
  if (gallery.current) pictures.askAbout(gallery.current);
  else pictures.go();
  bench.refresh();
}

async function compareChanged() {
  $("[data-picker=b]").hidden = !comparing();
  showControls();
  if (comparing() && !pickers.b.training) await chooseRival();
  else askAgain();
  redraw();
  stale();
}

/** Another model; if there is none, another checkpoint of the same. */
async function chooseRival() {
  const rival = await rivalOf(pickers.a.training).catch(() => null);
  if (rival) {
    await pickers.b.choose(rival);
    return;
  }
  toast(t("There is no other model of this task yet: another checkpoint of the same model is compared."));
  await pickers.b.choose(pickers.a.training, pickers.a.select.value === "last" ? "best" : "last");
}

pictures.on("change", (item) => {
  if (item) {
    gallery.fill(item);
    gallery.progress();
  } else gallery.show();
  if (item?.state === "done") history.refresh();
  if (item && item === gallery.current && mode === "pictures") {
    bench.refresh();
    classes();
  }
  if (item?.state === "sending" || !pictures.items.length) setChildren($("[data-queue-notice]"));
  stale();
});
pictures.on("stopped", (error) =>
  setChildren(
    $("[data-queue-notice]"),
    failure(error, () => pictures.go()),
  ),
);
settings.on("change", redraw);
settings.on("ask", () => {
  video.forget();
  stale();
});
settings.bind(form);
pickers.a.on("change", modelChanged);
pickers.b.on("change", () => {
  settings.forgetClasses();
  askAgain();
  redraw();
  stale();
});
form.elements.compare.addEventListener("change", compareChanged);
$("[data-again]").addEventListener("click", () => pictures.again());
for (const input of $$("[data-file], [data-video-file]"))
  input.addEventListener("change", () => {
    addFiles([...input.files]);
    input.value = "";
  });
$("[data-choose]").addEventListener("click", () => $("[data-file]").click());
$("[data-choose-video]").addEventListener("click", () => $("[data-video-file]").click());
$("[data-other-video]").addEventListener("click", () => $("[data-video-file]").click());
$("[data-save-picture]").addEventListener("click", () => downloads.picture());
for (const button of $$("[data-save]")) button.addEventListener("click", () => downloads.table(button.dataset.save));
const tabs = $$("[data-mode]");
for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => setMode(tab.dataset.mode));
  tab.addEventListener("keydown", ({ key }) => {
    const next = tabs[index + ({ ArrowRight: 1, ArrowLeft: -1 }[key] || 0)];
    if (next && next !== tab) {
      next.focus();
      next.click();
    }
  });
}
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length && !(/** @type {Element} */ (event.target).closest("input, textarea")))
    addFiles([...event.clipboardData.files]);
});
dropZone($("[data-stage]"), addFiles);
start();
