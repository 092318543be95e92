/* What was found in a picture and what is there, drawn over it: boxes, outlines, keypoints. Places are parts of its sides. */
import { h } from "./dom.js";
import { soon, unwatch, watch } from "./drawing.js";
import { percent } from "./format.js";
import { classColour } from "./palette.js";

const LONG = 14; // letters of a name: longer ones would cover the picture

/** A picture with a canvas over it. `alt` says what it is. Drawn while it is on the screen, see drawing.js. */
export class ShapesPicture {
  constructor(url, { width, height }, alt) {
    this.image = h("img", { src: url, alt, width, height, loading: "lazy", decoding: "async" });
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.element = h("div", { class: "shapes", style: { "aspect-ratio": `${width} / ${height}` } }, this.image, this.canvas);
    this.layers = [];
    this.size = [0, 0]; // asked of the observer alone: reading it while the page changes would lay it out each time
    this.resized = new ResizeObserver(([{ contentRect: { width: w, height: h_ } }]) => { this.size = [w, h_]; soon(this); });
    this.resized.observe(this.element);
    watch(this);
  }

  /** layers: [{shapes, names, truth (drawn dashed, in the ground truth's look), labels, colour(shape)}]. */
  draw(layers) {
    this.layers = layers;
    soon(this);
  }

  paint() {
    const { canvas, size: [width, height] } = this;
    if (!width) return; // the observer tells of it
    const context = prepared(canvas, width, height);
    for (const layer of this.layers) {
      if (layer.truth && !layer.colour) context.drawImage(this.truth(layer, width, height), 0, 0, width, height);
      else drawLayer(context, layer, width, height);
    }
  }

  /** What is really there, as a picture: dashes cost most of all that is drawn, and stay the same from epoch to epoch. */
  truth(layer, width, height) {
    if (this.kept?.shapes !== layer.shapes || this.kept.size !== this.size) {
      this.kept = { shapes: layer.shapes, size: this.size, canvas: document.createElement("canvas") };
      drawLayer(prepared(this.kept.canvas, width, height), layer, width, height);
    }
    return this.kept.canvas;
  }

  end() {
    this.resized.disconnect();
    unwatch(this);
  }
}

/** The empty canvas at the screen's resolution, to be drawn on in CSS pixels. */
function prepared(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

function drawLayer(context, layer, width, height) {
  context.font = "600 11px system-ui, sans-serif";
  for (const shape of layer.shapes) drawShape(context, shape, layer, width, height);
}

function drawShape(context, shape, { names, truth, labels, colour }, width, height) {
  const ink = colour?.(shape) || (truth ? "#fff" : classColour(shape.class));
  context.lineJoin = "round";
  const corners = cornersOf(shape);
  if (corners) {
    outline(context, corners, width, height);
    stroke(context, ink, truth);
  }
  for (const [x, y, sure] of shape.points || []) {
    if (sure < 0.3) continue;
    context.beginPath();
    context.arc(x * width, y * height, truth ? 3.5 : 2.5, 0, 7);
    if (truth) stroke(context, ink, true);
    else { context.fillStyle = ink; context.fill(); }
  }
  if (labels && !truth) label(context, shape, corners, names, ink, width, height);
}

/** x, y, x, y ...; a box is drawn as one beside its outline, which says more. */
function cornersOf({ polygon, box }) {
  if (polygon?.length) return polygon;
  return box && [box[0], box[1], box[2], box[1], box[2], box[3], box[0], box[3]];
}

function outline(context, corners, width, height) {
  context.beginPath();
  for (let index = 0; index < corners.length; index += 2) context.lineTo(corners[index] * width, corners[index + 1] * height);
  context.closePath();
}

/** A line with a dark edge, so that it stands out on any ground. */
function stroke(context, ink, dashed) {
  context.setLineDash(dashed ? [5, 3] : []);
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.lineWidth = 3.2;
  context.stroke();
  context.strokeStyle = ink;
  context.lineWidth = 1.8;
  context.stroke();
  context.setLineDash([]);
}

function label(context, shape, corners, names, ink, width, height) {
  const name = String(names[shape.class] ?? shape.class);
  const text = `${name.length > LONG ? `${name.slice(0, LONG - 1)}…` : name} ${shape.conf === undefined ? "" : percent(shape.conf)}`.trim();
  const x = corners ? Math.min(...corners.filter((_, index) => index % 2 === 0)) * width : 4;
  const y = corners ? Math.min(...corners.filter((_, index) => index % 2)) * height : 4;
  const wide = Math.min(context.measureText(text).width + 8, width);
  const left = Math.max(0, Math.min(x, width - wide));
  const top = y > 17 ? y - 17 : y;
  context.fillStyle = ink;
  context.fillRect(left, top, wide, 16);
  context.fillStyle = "#fff";
  context.fillText(text, left + 4, top + 12, wide - 8);
}
