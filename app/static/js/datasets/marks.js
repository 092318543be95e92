/* Draws the objects of an image: on a canvas over its thumbnail, or as SVG over the large image. */
import { h } from "../lib/dom.js";
import { boxCorners, fillDot, outline, scaled, sharpContext, strokeLines, tag } from "../ui/marks.js";
import { classColour } from "../ui/palette.js";
import { bounds, className, isOutline, isPose, marked } from "./objects.js";

const SVG = "http://www.w3.org/2000/svg";
const EDGE = "rgb(255 255 255 / 75%)";

/** Draw the objects of an image over its thumbnail of `width` × `height` CSS pixels. */
export function paint(canvas, objects, { width, height, labels }) {
  const context = sharpContext(canvas, width, height);
  const boxed = objects.filter(bounds);
  for (const object of boxed) paintOne(context, object, width, height);
  if (labels) for (const object of boxed) paintNumber(context, object, width, height);
}

function paintOne(context, object, width, height) {
  const colour = classColour(object.class);
  outline(context, scaled(isOutline(object) ? object.points : corners(bounds(object)), width, height));
  strokeLines(context, [
    [EDGE, 3],
    [colour, 1.5],
  ]);
  if (isPose(object))
    for (const point of scaled(marked(object), width, height)) fillDot(context, point, 2.2, colour, true);
}

const corners = ({ x, y, width, height }) => boxCorners(x, y, x + width, y + height);

/** The number of the class in a corner of its object, if the object is large enough. */
function paintNumber(context, object, width, height) {
  const box = bounds(object);
  const text = String(object.class);
  context.font = "600 10px system-ui, sans-serif";
  const needed = context.measureText(text).width + 6;
  if (box.width * width < needed + 4 || box.height * height < 16) return;
  const area = { x: Math.max(0, box.x * width), y: Math.max(0, box.y * height), width: needed, height: 13 };
  tag(context, text, area, { ground: classColour(object.class), indent: 3, baseline: 10 });
}

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The objects of an image as SVG in its pixels; each group has `data-object`. Lines keep their width when zoomed. */
export function drawing(image) {
  const { width, height } = image;
  const groups = image.objects
    .map((object, index) => bounds(object) && group(object, index, width, height))
    .filter(Boolean);
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "marks", "aria-hidden": "true" }, ...groups);
}

function group(object, index, width, height) {
  const colour = classColour(object.class);
  const line = (strokeClass) => {
    if (isOutline(object))
      return svg("polygon", {
        points: object.points.map(([x, y]) => `${x * width},${y * height}`).join(" "),
        class: strokeClass,
      });
    const box = bounds(object);
    return svg("rect", {
      x: box.x * width,
      y: box.y * height,
      width: box.width * width,
      height: box.height * height,
      class: strokeClass,
    });
  };
  // A line of no length with round ends is a point whose size does not follow the zoom.
  const points = isPose(object)
    ? marked(object).map(([x, y]) => svg("path", { d: `M${x * width} ${y * height}h0`, class: "mark-point" }))
    : [];
  const element = svg("g", { "data-object": index, class: "mark" }, line("mark-halo"), line("mark-line"), ...points);
  element.style.setProperty("--mark", colour);
  return element;
}

/** The names of the objects of an image, each at the upper left corner of its object; their size does not follow the
 *  zoom. */
export function names(image, classes) {
  return h(
    "div",
    { class: "mark-names", "aria-hidden": "true" },
    image.objects.map((object, index) => {
      const box = bounds(object);
      const position = box
        ? { left: `${100 * Math.max(0, box.x)}%`, top: `${100 * Math.max(0, box.y)}%` }
        : { left: "0", top: "0" };
      const inside = !box || box.y * image.height < 16;
      return h(
        "span",
        {
          class: `mark-name ${inside ? "is-inside" : ""}`,
          "data-object": index,
          style: { ...position, "--mark": classColour(object.class) },
        },
        `${object.class} · ${className(classes, object.class)}`,
      );
    }),
  );
}
