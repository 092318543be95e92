/* The state of a prediction of a video or of many images: its progress, its detections, its files. */
import { h, icon } from "../lib/dom.js";
import { bytes, duration, number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";

const LABELS = {
  json: () => t("Detections (JSON)"),
  csv: () => t("Detections (CSV)"),
  zip: () => t("YOLO labels (ZIP)"),
};

const rateOf = ({ source }, rate) =>
  source === "images"
    ? t("Images per second: {rate}", { rate: number(rate, 1) })
    : t("Frames per second: {rate}", { rate: number(rate, 1) });

/** Its progress, in words. */
export function stateOf(row) {
  const { status, progress, source } = row;
  if (status === "pending" || !progress) return t("Queued");
  const parts = [
    source === "images"
      ? tn("{n} image analyzed", "{n} images analyzed", progress.done)
      : tn("{n} frame analyzed", "{n} frames analyzed", progress.done),
  ];
  if (progress.rate) parts.push(rateOf(row, progress.rate));
  if (progress.eta !== null) parts.push(t("about {time} left", { time: duration(progress.eta) }));
  return parts.join(" · ");
}

/** Its results. */
export function resultOf(row) {
  const film = row.files.find(({ name }) => name.startsWith("video."));
  return h(
    "div",
    { class: "video-job-done" },
    film &&
      h("video", { class: "video-job-player", src: film.url, controls: true, preload: "metadata", playsinline: true }),
    h("p", { class: "panel-note" }, facts(row)),
    row.media?.cut && h("p", { class: "video-job-note" }, t("The video is long: only its beginning was analyzed.")),
    row.media?.damaged > 0 &&
      h("p", { class: "video-job-note" }, t("Parts of the video are damaged: frames are missing.")),
    row.images && unread(row.images),
    classList(row),
    h("p", { class: "video-job-files" }, [...row.files].reverse().map(fileLink)),
  );
}

function facts(row) {
  const { media, images, engine, rate } = row;
  const parts = images
    ? [tn("{n} image", "{n} images", images.read)]
    : [tn("{n} frame", "{n} frames", media.frames), duration(media.duration), `${media.width} × ${media.height} px`];
  parts.push(engine === "openvino" ? "OpenVINO" : "PyTorch");
  if (rate) parts.push(rateOf(row, rate));
  return parts.join(" · ");
}

/** Files that were left out, and why. */
function unread({ unread: images, skipped }) {
  const reasons = images.first.map(({ image, message }) =>
    h("li", {}, h("strong", {}, image), " ", h("span", { class: "quiet" }, message)),
  );
  const names = skipped.first.map((name) => h("li", { class: "quiet" }, name));
  return [
    images.count > 0 &&
      h(
        "details",
        { class: "video-job-note" },
        h("summary", {}, tn("{n} image can't be read.", "{n} images can't be read.", images.count)),
        h("ul", { class: "video-job-unread" }, reasons),
      ),
    skipped.count > 0 &&
      h(
        "details",
        { class: "panel-note" },
        h("summary", {}, tn("{n} file is not an image.", "{n} files are not images.", skipped.count)),
        h("ul", { class: "video-job-unread" }, names),
      ),
  ];
}

/** Classes with their detections and the tracked objects. */
function classList({ found: classes, tracked }) {
  if (!classes.length) return h("p", { class: "panel-note" }, t("No objects detected."));
  return h(
    "ul",
    { class: "video-job-classes" },
    classes.slice(0, 20).map((row) => {
      const count = tn("{n} detection", "{n} detections", row.detections);
      const objects = tracked ? ` · ${tn("{n} object", "{n} objects", row.tracks)}` : "";
      return h("li", {}, h("strong", {}, row.class), " ", h("span", { class: "quiet tabular" }, count, objects));
    }),
  );
}

function fileLink({ name, size_bytes: size, url }) {
  const label = LABELS[name.split(".").pop()]?.() || t("Annotated video");
  return h(
    "a",
    { class: "btn btn-outline btn-sm", href: `${url}?download=true`, download: "" },
    icon("download"),
    ` ${label} `,
    h("span", { class: "quiet tabular" }, bytes(size)),
  );
}
