/* The objects of an image: boxes, polygons, oriented boxes, keypoints, and the class of a whole image.
   Coordinates come as fractions of the image's sides; a box as [centre x, centre y, width, height]. */
import { h } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { classColour } from "../ui/palette.js";

export const isPose = (object) => object.kind === "keypoints" && object.points?.length > 0;
export const isOutline = (object) => ["polygon", "obb"].includes(object.kind) && object.points?.length > 1;

/** The name of a class; its number if it has no name. */
export const className = (names, index) => names[index] ?? t("class {number}", { number: index });

/** In a classification, an image's folder gives its class, images/<split>/<class>/; it becomes an object without a
 *  position. */
export function withClass(image, { data, classes }) {
  if (data.task !== "classify" || image.objects.length) return image;
  const index = classes.indexOf(image.file.split("/").slice(2, -1).join("/"));
  return index < 0 ? image : { ...image, objects: [{ class: index, kind: "class" }] };
}

/** The upright box of an object as fractions {x, y, width, height}; null for the class of a whole image. */
export function bounds(object) {
  if (object.box) {
    const [x, y, width, height] = object.box;
    return { x: x - width / 2, y: y - height / 2, width, height };
  }
  if (!object.points?.length) return null;
  const [xs, ys] = [0, 1].map((axis) => object.points.map((point) => point[axis]));
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

/** The sides of an object in pixels of the image, and the square root of its area. */
export function pixels(object, image) {
  const box = bounds(object);
  if (!box) return null;
  const [width, height] = [box.width * image.width, box.height * image.height];
  return { width, height, size: Math.sqrt(width * height) };
}

/** The marked keypoints: those with two numbers, and those with three whose visibility is above 0. */
export const marked = (object) => object.points.filter((point) => point.length < 3 || point[2] > 0);

/** A class as a coloured number, with its name beside it. */
export function classTag(names, index, extraClass = "") {
  return h(
    "span",
    { class: `class-tag ${extraClass}`, title: className(names, index) },
    h("span", { class: "class-number", style: { "--mark": classColour(index) } }, String(index)),
    h("span", { class: "class-text" }, className(names, index)),
  );
}
