/* How to use trained weights: their settings (threshold, size, classes) and code that runs as it is. */
import { get } from "../lib/api.js";
import { button, h, icon, toast } from "../lib/dom.js";
import { fixed } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { lightbox } from "../ui/lightbox.js";

const LOOPS = {
  detect: ["for box in result.boxes:", "    print(result.names[int(box.cls)], float(box.conf), box.xyxy[0].tolist())"],
  segment: [
    "for box, mask in zip(result.boxes, result.masks.xy if result.masks else []):",
    "    print(result.names[int(box.cls)], float(box.conf), mask.tolist())",
  ],
  pose: [
    "for box, points in zip(result.boxes, result.keypoints.xy):",
    "    print(result.names[int(box.cls)], float(box.conf), points.tolist())",
  ],
  obb: ["for box in result.obb:", "    print(result.names[int(box.cls)], float(box.conf), box.xyxyxyxy[0].tolist())"],
  classify: ["print(result.names[result.probs.top1], float(result.probs.top1conf))"],
};

/** The server's name for the file. */
export const fileName = ({ id, name }) =>
  `${name.replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "") || "training"}-${id}-best.pt`;

export function python(training, confidence) {
  const options = [`"photo.jpg"`, `imgsz=${training.img_size}`, confidence && `conf=${confidence}`]
    .filter(Boolean)
    .join(", ");
  return [
    "# pip install ultralytics",
    "from ultralytics import YOLO",
    "",
    `model = YOLO("${fileName(training)}")`,
    `for result in model.predict(${options}):`,
    ...(LOOPS[training.task] || LOOPS.detect).map((line) => `    ${line}`),
  ].join("\n");
}

export const shell = (training, confidence) =>
  [
    `yolo predict model="${fileName(training)}" source=photo.jpg imgsz=${training.img_size}`,
    ...(confidence ? [`conf=${confidence}`] : []),
  ].join(" ");

/** @param {{id: number}} training @param {string} origin of the server
 *  @param {{recommended?: number | null, token?: boolean}} [options] the recommended threshold (those that were chosen
 *    for the model are the server's own); whether the server answers only who sends a token */
export const curl = ({ id }, origin, { recommended = null, token = false } = {}) => {
  const query = recommended ? `?confidence=${recommended}` : "";
  return [
    "curl",
    ...(token ? ['-H "Authorization: Bearer $YOLO_TOKEN"'] : []),
    `-H "Content-Type: image/jpeg" --data-binary @photo.jpg "${origin}/api/models/${id}/predict${query}"`,
  ].join(" ");
};

/** Load the information about the weights, and show it. */
export async function showWeights(training) {
  const ended = ["completed", "failed", "cancelled"].includes(training.status);
  const [{ classes }, verdict] = await Promise.all([
    get(`/api/datasets/${training.dataset_id}`).catch(() => ({ classes: [] })),
    ended ? get(`/api/trainings/${training.id}/verdict`).catch(() => null) : null,
  ]);
  const chosen = training.thresholds?.confidence ?? null; // on the page of an evaluation
  lightbox([{ title: t("Use the weights"), body: () => parts(training, classes, chosen, verdict?.confidence) }]);
}

function parts(training, classes, chosen, recommended) {
  const confidence = chosen ?? recommended;
  const token = document.documentElement.dataset.via === "session";
  const label = chosen === null ? t("Recommended confidence threshold") : t("Chosen confidence threshold");
  const fact = (name, ...value) => [h("dt", {}, name), h("dd", {}, value)];
  return [
    h(
      "p",
      { class: "weights-get" },
      h(
        "a",
        {
          class: "btn btn-primary",
          href: `/api/trainings/${training.id}/download`,
          download: true,
          "data-weights": true,
        },
        icon("download"),
        " ",
        t("Download the weights"),
      ),
      h("code", {}, fileName(training)),
    ),
    h(
      "dl",
      { class: "weights-facts" },
      confidence ? fact(label, fixed(confidence, 2)) : null,
      fact(t("Image size"), `${training.img_size} px`),
      classes.length
        ? fact(
            tn("{n} class", "{n} classes", classes.length),
            classes.slice(0, 20).join(", "),
            classes.length > 20 && " …",
          )
        : null,
    ),
    snippet("Python", python(training, confidence)),
    snippet(t("Command line"), shell(training, confidence)),
    snippet(
      t("API of this server"),
      curl(training, location.origin, { recommended: chosen === null ? recommended : null, token }),
    ),
    token &&
      h(
        "p",
        { class: "quiet" },
        t("YOLO_TOKEN is an access token. Create one on your account page."),
        " ",
        h("a", { href: "/account" }, t("Account")),
      ),
    h(
      "p",
      { class: "quiet" },
      t("The file works on every machine with ultralytics; it needs neither this server nor the dataset."),
      " ",
      h("a", { href: "/help#weights" }, t("More in the user guide")),
    ),
  ];
}

function snippet(title, code) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(code);
      toast(t("Copied."), "success");
    } catch {
      toast(t("The browser does not allow copying. Select the text and copy it."), "failed");
    }
  };
  return h(
    "section",
    { class: "snippet" },
    h("header", {}, h("h3", {}, title), button("clipboard", t("Copy"), copy, "btn-outline btn-sm")),
    h("pre", { tabindex: 0, "aria-label": title, role: "region" }, h("code", {}, code)),
  );
}
