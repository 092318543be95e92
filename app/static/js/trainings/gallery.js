/* The images drawn by ultralytics, each with an explanation and what to look for. */
import { showDamaged } from "../ui/damaged.js";
import { get } from "../lib/api.js";
import { failure, h, setChildren, skeleton } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { lightbox } from "../ui/lightbox.js";

const KINDS = {
  results: () => [t("All curves"), t("All losses and metrics by epoch, as in results.csv.")],
  matrix: () => [
    t("Confusion matrix"),
    t("Columns are actual classes, rows are predicted classes. A perfect model fills only the diagonal."),
  ],
  labels: () => [
    t("Labels"),
    t("Number, position and size of the objects of each class. Large differences explain weak classes."),
  ],
  train_batch: () => [
    t("Training batch"),
    t("Training images after data augmentation. Boxes must still match the objects; otherwise, the labels are wrong."),
  ],
  val_labels: () => [
    t("Validation: labels"),
    t("Validation images with their labels. Compare them with the predictions next to them."),
  ],
  val_pred: () => [t("Validation: predictions"), t("The same images with the model's predictions.")],
};
const CURVES = {
  F1: () => [t("F1 curve"), t("F1 combines precision and recall. Its peak is the best confidence threshold.")],
  PR: () => [
    t("Precision-recall curve"),
    t("Precision at each recall. The closer to the upper right corner, the better; the area is the mAP50."),
  ],
  P: () => [t("Precision curve"), t("How precision rises with the confidence threshold.")],
  R: () => [t("Recall curve"), t("How recall falls with the confidence threshold.")],
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
  constructor(container, id) {
    this.container = container;
    this.id = id;
    this.turn = 0;
  }

  /** Resolves to the server's list, null if the request failed. */
  async load(finished) {
    const turn = ++this.turn;
    try {
      const answer = await get(`/api/trainings/${this.id}/files`);
      if (turn !== this.turn) return answer;
      this.show(answer.files, finished);
      showDamaged(this.container, answer.damaged);
      return answer;
    } catch (error) {
      if (turn === this.turn)
        setChildren(
          this.container,
          h(
            "div",
            { class: "panel-body" },
            failure(error, () => {
              setChildren(this.container, skeleton(2));
              this.load(finished);
            }),
          ),
        );
      return null;
    }
  }

  show(files, finished) {
    const rendered = JSON.stringify([files.map(({ name, size_bytes: size }) => [name, size]), finished]);
    if (rendered === this.rendered) return;
    this.rendered = rendered;
    if (!files.length) {
      setChildren(
        this.container,
        h(
          "p",
          { class: "panel-empty" },
          finished
            ? t("No plots: the parameter “plots” was off, the run ended too early, or the model was trained elsewhere.")
            : t("The first plots appear after the first batches, the curves at the end."),
        ),
      );
      return;
    }
    const captioned = files.map((file) => [file, ...texts(file)]);
    const items = captioned.map(([file, title, text]) => ({
      title,
      body: () => [h("img", { src: versioned(file), alt: title }), h("p", {}, text)],
    }));
    setChildren(
      this.container,
      h(
        "div",
        { class: "gallery" },
        captioned.map(([file, title, text], index) =>
          h(
            "button",
            { class: "gallery-item", type: "button", "data-file": file.name, onclick: () => lightbox(items, index) },
            h("img", { src: versioned(file), alt: "", loading: "lazy" }),
            h("strong", {}, title),
            text !== captioned[index - 1]?.[2] && h("span", { class: "under" }, text),
          ),
        ),
      ),
    ); // shown once for images of one kind
  }
}

/** An image that is drawn again has another size: the browser must not show its cached version. */
const versioned = ({ url, size_bytes: size }) => `${url}?${size}`;
