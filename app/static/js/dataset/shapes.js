/* The objects of an image: boxes, polygons, oriented boxes and keypoints, on a canvas (many small ones) or as SVG.
   Coordinates come as fractions of the image's sides; a box as [centre x, centre y, width, height]. */
import { h } from "../dom.js";
import { t } from "../i18n.js";
import { classColour } from "../palette.js";

const SVG = "http://www.w3.org/2000/svg";
const isPose = (object) => object.kind === "keypoints" && object.points?.length > 0;
const isOutline = (object) => ["polygon", "obb"].includes(object.kind) && object.points?.length > 1;

/** The name of a class; its number where nobody named it. */
export const className = (names, index) => names[index] ?? t("class {number}", { number: index });

/** An image of a classification has its class by its folder, images/<split>/<class>/; it becomes an object without a place. */
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

/** Keypoints that are marked: those of two numbers, and of three those with a visibility above 0. */
const marked = (object) => object.points.filter((point) => point.length < 3 || point[2] > 0);

function trace(context, object, width, height) {
  context.beginPath();
  if (isOutline(object)) {
    object.points.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](x * width, y * height));
    context.closePath();
  } else {
    const box = bounds(object);
    context.rect(box.x * width, box.y * height, box.width * width, box.height * height);
  }
}

/** Draw the objects of an image over its thumbnail of `width` × `height` CSS pixels. */
export function paint(canvas, objects, { width, height, labels }) {
  const scale = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.lineJoin = "round";
  for (const object of objects) if (bounds(object)) paintOne(context, object, width, height);
  if (labels) for (const object of objects) if (bounds(object)) paintNumber(context, object, width, height);
}

function paintOne(context, object, width, height) {
  trace(context, object, width, height);
  for (const [style, line] of [["rgb(255 255 255 / 75%)", 3], [classColour(object.class), 1.5]]) {
    Object.assign(context, { strokeStyle: style, lineWidth: line });
    context.stroke();
  }
  if (isPose(object)) paintPoints(context, object, width, height);
}

function paintPoints(context, object, width, height) {
  Object.assign(context, { fillStyle: classColour(object.class), strokeStyle: "#fff", lineWidth: 1 });
  for (const [x, y] of marked(object)) {
    context.beginPath();
    context.arc(x * width, y * height, 2.2, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

/** The number of the class in a corner of its object, where the object has room for it. */
function paintNumber(context, object, width, height) {
  const box = bounds(object);
  const text = String(object.class);
  context.font = "600 10px system-ui, sans-serif";
  const room = context.measureText(text).width + 6;
  if (box.width * width < room + 4 || box.height * height < 16) return;
  const [x, y] = [Math.max(0, box.x * width), Math.max(0, box.y * height)];
  context.fillStyle = classColour(object.class);
  context.fillRect(x, y, room, 13);
  context.fillStyle = "#fff";
  context.fillText(text, x + 3, y + 10);
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** The objects of an image as SVG in its pixels; each group has `data-object`. Lines keep their width when zoomed. */
export function drawing(image) {
  const { width, height } = image;
  const groups = image.objects.map((object, index) => bounds(object) && group(object, index, width, height)).filter(Boolean);
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "marks", "aria-hidden": "true" }, ...groups);
}

function group(object, index, width, height) {
  const colour = classColour(object.class);
  const line = (look) => {
    if (isOutline(object)) return svg("polygon", { points: object.points.map(([x, y]) => `${x * width},${y * height}`).join(" "), class: look });
    const box = bounds(object);
    return svg("rect", { x: box.x * width, y: box.y * height, width: box.width * width, height: box.height * height, class: look });
  };
  // A line of no length with round ends is a point whose size does not follow the zoom.
  const points = isPose(object) ? marked(object).map(([x, y]) => svg("path", { d: `M${x * width} ${y * height}h0`, class: "mark-point" })) : [];
  const element = svg("g", { "data-object": index, class: "mark" }, line("mark-halo"), line("mark-line"), ...points);
  element.style.setProperty("--mark", colour);
  return element;
}

/** The names of the objects of an image, each at the upper left corner of its own; they keep their size when zoomed. */
export function names(image, classes) {
  return h("div", { class: "mark-names", "aria-hidden": "true" }, image.objects.map((object, index) => {
    const box = bounds(object);
    const place = box ? { left: `${100 * Math.max(0, box.x)}%`, top: `${100 * Math.max(0, box.y)}%` } : { left: "0", top: "0" };
    const inside = !box || box.y * image.height < 16;
    return h("span", { class: `mark-name ${inside ? "is-inside" : ""}`, "data-object": index, style: { ...place, "--mark": classColour(object.class) } }, `${object.class} · ${className(classes, object.class)}`);
  }));
}

/** A class as a coloured number, with its name beside it. */
export function classTag(names, index, look = "") {
  return h("span", { class: `class-tag ${look}`, title: className(names, index) }, h("span", { class: "class-number", style: { "--mark": classColour(index) } }, String(index)), h("span", { class: "class-text" }, className(names, index)));
}
