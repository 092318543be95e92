/* Objects and detections of an evaluation, in pixels, as they are drawn. */
import { h } from "../lib/dom.js";
import { MarkedPicture } from "../ui/marked_picture.js";

/** The colour of each outcome. */
export const INKS = {
  correct: "#157a3c",
  false: "#b3261a",
  wrong_class: "#8a3ffc",
  duplicate: "#00688b",
  missed: "#ffb000",
};

/** An image of an evaluation with its objects and detections, in the colours of their outcomes. */
export function marked(image, url, { task, names }) {
  if (task === "classify") return h("img", { src: url, alt: image.file, loading: "lazy", class: "shapes" });
  const view = new MarkedPicture(url, image, image.file);
  const missed = ({ kind }) => (kind === "missed" ? INKS.missed : "#fff");
  view.draw([
    { shapes: image.objects.map((item) => shape(item, image, names)), names, truth: true, colour: missed },
    {
      shapes: image.detections.map((item) => shape(item, image, names)),
      names,
      labels: true,
      colour: ({ kind }) => INKS[kind],
    },
  ]);
  return view.element;
}

/** In the form of marked_picture.js: relative to the image's sides. */
export function shape({ box, corners, class: name, confidence, kind }, { width, height }, names) {
  const geometry = box
    ? { box: box.map((value, index) => value / (index % 2 ? height : width)) }
    : { polygon: (corners || []).flatMap(([x, y]) => [x / width, y / height]) };
  return { ...geometry, class: names.indexOf(name), conf: confidence, kind };
}
