/* Boxes, outlines, turned boxes and keypoints on a canvas. Coordinates come in pixels of the picture. */
import { percent } from "../format.js";
import { colour, inkOn } from "./palette.js";

// The limbs of COCO's 17 keypoints, as ultralytics draws them; other sets of keypoints are points alone.
const LIMBS = [[15, 13], [13, 11], [16, 14], [14, 12], [11, 12], [5, 11], [6, 12], [5, 6], [5, 7], [6, 8], [7, 9], [8, 10], [1, 2], [0, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 6]];
const SURE = 0.5; // keypoints below are not drawn

export const labelOf = (item) => `${item.class} ${percent(item.confidence)}`;

/** Draw them; the surest last, so that it stays readable. `look(item)` gives {quiet, strong} for some. */
export function draw(context, detections, { scale, width, height, labels, marked = null, look = () => ({}) }) {
  const line = Math.max(1.5, Math.min(4, (width + height) / 500));
  const boxes = detections.filter((item) => !item.top5);
  for (const item of [...boxes].reverse()) shape(context, item, scale, line, { ...look(item), marked: item === marked });
  if (labels) for (const item of [...boxes].reverse()) if (!look(item).quiet) label(context, item, scale, line, width);
}

function shape(context, item, scale, line, { quiet = false, strong = false, marked = false }) {
  const thick = strong || marked ? line * 1.7 : line;
  context.lineJoin = "round";
  context.globalAlpha = quiet && !marked ? 0.75 : 1;
  trace(context, item, scale);
  if (item.polygon || marked) {
    context.globalAlpha *= marked ? 0.4 : 0.22;
    context.fillStyle = colour(item.class);
    context.fill();
    context.globalAlpha = quiet && !marked ? 0.75 : 1;
  }
  context.setLineDash(quiet ? [5, 4] : []);
  for (const [style, wide] of [["rgb(255 255 255 / 80%)", thick + 2], [colour(item.class), thick]]) {
    Object.assign(context, { strokeStyle: style, lineWidth: wide });
    context.stroke();
  }
  context.setLineDash([]);
  if (item.keypoints) keypoints(context, item, scale, line);
  context.globalAlpha = 1;
}

function trace(context, item, scale) {
  const points = item.polygon?.length > 2 ? item.polygon : item.corners;
  context.beginPath();
  if (points) {
    points.forEach(([x, y], index) => context[index ? "lineTo" : "moveTo"](x * scale, y * scale));
    context.closePath();
  } else {
    const [x1, y1, x2, y2] = item.bbox;
    context.rect(x1 * scale, y1 * scale, (x2 - x1) * scale, (y2 - y1) * scale);
  }
}

function keypoints(context, item, scale, line) {
  const seen = (point) => point && (point.length < 3 || point[2] >= SURE);
  Object.assign(context, { strokeStyle: colour(item.class), fillStyle: colour(item.class), lineWidth: line });
  if (item.keypoints.length === 17) {
    for (const [from, to] of LIMBS.map((limb) => limb.map((index) => item.keypoints[index]))) {
      if (!seen(from) || !seen(to)) continue;
      context.beginPath();
      context.moveTo(from[0] * scale, from[1] * scale);
      context.lineTo(to[0] * scale, to[1] * scale);
      context.stroke();
    }
  }
  for (const [x, y] of item.keypoints.filter(seen)) {
    context.beginPath();
    context.arc(x * scale, y * scale, line * 1.6, 0, 2 * Math.PI);
    context.fill();
    Object.assign(context, { strokeStyle: "#fff", lineWidth: 1 });
    context.stroke();
  }
}

/** The name on its colour above the box, inside where there is no room, never outside the picture. */
function label(context, item, scale, line, width) {
  const size = Math.round(Math.max(11, Math.min(20, line * 6)));
  context.font = `600 ${size}px system-ui, sans-serif`;
  const text = labelOf(item);
  const [wide, high] = [Math.min(width, context.measureText(text).width + 8), size + 6];
  const [left, top] = [item.bbox[0] * scale - line / 2, item.bbox[1] * scale - line / 2];
  const x = Math.max(0, Math.min(left, width - wide));
  const y = top >= high ? top - high : Math.max(0, top);
  context.fillStyle = colour(item.class);
  context.fillRect(x, y, wide, high);
  context.fillStyle = inkOn(colour(item.class));
  context.textBaseline = "middle";
  context.fillText(text, x + 4, y + high / 2 + 0.5, wide - 8);
}
