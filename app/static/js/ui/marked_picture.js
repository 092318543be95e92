/* Detections and ground truth drawn over an image: boxes, outlines, keypoints. Positions are relative to its sides. */
import { h } from "../lib/dom.js";
import { soon, unwatch, watch } from "../charts/drawing.js";
import { percent } from "../lib/format.js";
import { boxCorners, dot, fillDot, outline, scaled, sharpContext, strokeLines, tag } from "./marks.js";
import { classColour } from "./palette.js";

const LONG = 14; // letters of a name: longer ones would cover the image
const FEW = 4; // shapes up to which all get their name
const KEYPOINT_CONFIDENCE = 0.3; // keypoints with a lower confidence are not drawn
const EDGE = "rgb(0 0 0 / 55%)";

/** An image with a canvas over it. `alt` describes it. Drawn while it is on the screen, see drawing.js. */
export class MarkedPicture {
  constructor(url, { width, height }, alt) {
    this.image = h("img", { src: url, alt, width, height, loading: "lazy", decoding: "async" });
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.element = h(
      "div",
      { class: "shapes", style: { "aspect-ratio": `${width} / ${height}`, "--ratio": width / height } },
      this.image,
      this.canvas,
    );
    this.layers = [];
    this.size = [0, 0]; // set by the observer alone: reading it while the page changes would cause a layout each time
    this.resized = new ResizeObserver(
      ([
        {
          contentRect: { width: w, height: h_ },
        },
      ]) => {
        this.size = [w, h_];
        soon(this);
      },
    );
    this.resized.observe(this.element);
    watch(this);
  }

  /** layers: [{shapes, names, truth (drawn dashed, in the ground truth's look), labels, colour(shape)}]. */
  draw(layers) {
    this.layers = layers;
    soon(this);
  }

  paint() {
    const {
      canvas,
      size: [width, height],
    } = this;
    if (!width) return; // the observer will call it
    const context = sharpContext(canvas, width, height);
    for (const layer of this.layers) {
      if (layer.truth && !layer.colour) context.drawImage(this.truth(layer, width, height), 0, 0, width, height);
      else drawLayer(context, layer, width, height);
    }
    for (const layer of this.layers) if (layer.labels && !layer.truth) drawLabels(context, layer, width, height);
  }

  /** The ground truth, cached as an image: dashes are the most expensive part of the drawing, and stay the same from
   *  epoch to epoch. */
  truth(layer, width, height) {
    if (this.truthCache?.shapes !== layer.shapes || this.truthCache.size !== this.size) {
      this.truthCache = { shapes: layer.shapes, size: this.size, canvas: document.createElement("canvas") };
      drawLayer(sharpContext(this.truthCache.canvas, width, height), layer, width, height);
    }
    return this.truthCache.canvas;
  }

  end() {
    this.resized.disconnect();
    unwatch(this);
  }
}

function drawLayer(context, layer, width, height) {
  for (const shape of layer.shapes) drawShape(context, shape, layer, width, height);
}

function drawShape(context, shape, layer, width, height) {
  const { truth } = layer;
  const ink = inkOf(shape, layer);
  const stroke = () =>
    strokeLines(
      context,
      [
        [EDGE, 3.2],
        [ink, 1.8],
      ],
      truth ? [5, 3] : [],
    );
  const corners = scaled(cornersOf(shape), width, height);
  if (corners.length) {
    outline(context, corners);
    stroke();
  }
  for (const point of scaled(
    (shape.points || []).filter(([, , confidence]) => !(confidence < KEYPOINT_CONFIDENCE)),
    width,
    height,
  )) {
    if (truth) {
      dot(context, point, 3.5);
      stroke();
    } else fillDot(context, point, 2.5, ink);
  }
}

/** Names, the most confident first, if there is room: none covers another, and among many none is wider than its
 *  shape. */
function drawLabels(context, layer, width, height) {
  const { shapes, names } = layer;
  context.font = "600 11px system-ui, sans-serif";
  const labels = [];
  for (const shape of [...shapes].sort((a, b) => (b.conf ?? 1) - (a.conf ?? 1))) {
    const corners = scaled(cornersOf(shape), width, height);
    const [area, text] = label(context, shape, corners, names, width);
    if (shapes.length > FEW && area.width > spread(corners, 0)) continue;
    if (labels.some((other) => overlap(area, other))) continue;
    labels.push(area);
    tag(context, text, area, { ground: inkOf(shape, layer), indent: 4, baseline: 12 });
  }
}

const spread = (corners, axis) =>
  corners.length
    ? Math.max(...corners.map((corner) => corner[axis])) - Math.min(...corners.map((corner) => corner[axis]))
    : 0;
const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
const inkOf = (shape, { truth, colour }) => colour?.(shape) || (truth ? "#fff" : classColour(shape.class));

/** A box is drawn as one if there is no outline, x, y, x, y ..., which is more precise. */
function cornersOf({ polygon, box }) {
  if (polygon?.length)
    return Array.from({ length: polygon.length / 2 }, (_none, index) => polygon.slice(2 * index, 2 * index + 2));
  return box ? boxCorners(...box) : [];
}

/** The position of a shape's name, and its text.
 *  @returns {[{x: number, y: number, width: number, height: number}, string]} */
function label(context, shape, corners, names, width) {
  const name = String(names[shape.class] ?? shape.class);
  const text = [
    name.length > LONG ? `${name.slice(0, LONG - 1)}…` : name,
    shape.conf === undefined ? "" : percent(shape.conf),
  ]
    .join(" ")
    .trim();
  const [x, y] = [0, 1].map((axis) => (corners.length ? Math.min(...corners.map((corner) => corner[axis])) : 4));
  const wide = Math.min(context.measureText(text).width + 8, width);
  return [{ x: Math.max(0, Math.min(x, width - wide)), y: y > 17 ? y - 17 : y, width: wide, height: 16 }, text];
}
