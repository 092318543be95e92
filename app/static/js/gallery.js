/* The pictures that ultralytics draws, each with what it shows and what to look for. */
import { get } from "./api.js";
import { failure, h, put, skeleton } from "./dom.js";
import { t } from "./i18n.js";
import { lightbox } from "./lightbox.js";

const KINDS = {
  results: () => [t("All curves"), t("Losses and measures over the epochs in one picture, as in results.csv.")],
  matrix: () => [t("Confusion matrix"), t("What was taken for what: columns are the true classes, rows what the model said. All on the diagonal is perfect.")],
  labels: () => [t("Labels"), t("How many objects each class has, where they lie and how large they are. Large differences explain weak classes.")],
  train_batch: () => [t("Training batch"), t("Images as the model saw them, changed by augmentation. Boxes must still fit: else the labels are wrong.")],
  val_labels: () => [t("Validation: truth"), t("Validation images with their labels. Compare them with the predictions beside.")],
  val_pred: () => [t("Validation: predictions"), t("The same images with what the model found.")],
};
const CURVES = {
  F1: () => [t("F1 curve"), t("The balance of precision and recall over the confidence. Its peak is the best confidence.")],
  PR: () => [t("Precision-recall curve"), t("What recall costs in precision. The nearer to the upper right corner, the better; the area is the mAP50.")],
  P: () => [t("Precision curve"), t("How precision grows with the confidence that is asked for.")],
  R: () => [t("Recall curve"), t("How recall falls with the confidence that is asked for.")],
};
const PARTS = { Box: () => t("boxes"), Mask: () => t("masks"), Pose: () => t("keypoints") };

function texts({ name, kind }) {
  if (kind !== "curve") {
    const [title, text] = KINDS[kind]();
    const which = name.includes("normalized") ? t("shares") : (name.match(/batch(\d+)/) || [])[1];
    return [which ? `${title} · ${which}` : title, text];
  }
  const [, part, curve] = name.match(/^(Box|Mask|Pose)?(F1|PR|P|R)_/);
  const [title, text] = CURVES[curve]();
  return [part ? `${title} · ${PARTS[part]()}` : title, text];
}

export class GalleryView {
  constructor(place, id) {
    Object.assign(this, { place, id, asked: 0 });
  }

  /** Resolves to what the server has, null where it did not answer. */
  async load(finished) {
    const turn = ++this.asked;
    try {
      const answer = await get(`/api/trainings/${this.id}/files`);
      if (turn === this.asked) this.show(answer.files, finished);
      return answer;
    } catch (error) {
      if (turn === this.asked) put(this.place, h("div", { class: "panel-body" }, failure(error, () => { put(this.place, skeleton(2)); this.load(finished); })));
      return null;
    }
  }

  show(files, finished) {
    const look = JSON.stringify([files.map(({ name, size_bytes: size }) => [name, size]), finished]);
    if (look === this.look) return;
    this.look = look;
    if (!files.length) {
      put(this.place, h("p", { class: "panel-empty" }, finished ? t("There are none: the parameter plots was off, or the run ended too early.") : t("The first ones come with the first batches, the curves at the end.")));
      return;
    }
    const shown = files.map((file) => [file, ...texts(file)]);
    const items = shown.map(([file, title, text]) => ({ title, body: () => [h("img", { src: versioned(file), alt: title }), h("p", {}, text)] }));
    put(this.place, h("div", { class: "gallery" }, shown.map(([file, title, text], index) => h("button", { class: "gallery-item", type: "button", "data-file": file.name, onclick: () => lightbox(items, index) },
      h("img", { src: versioned(file), alt: "", loading: "lazy" }), h("strong", {}, title), text !== shown[index - 1]?.[2] && h("span", { class: "under" }, text))))); // said once for pictures of one kind
  }
}

/** A picture that is drawn again has another size: the browser must not show the old one. */
const versioned = ({ url, size_bytes: size }) => `${url}?${size}`;
