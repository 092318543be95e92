/* Draws a model's detections on a canvas: boxes, outlines, oriented boxes and keypoints. Coordinates are in pixels of
   the image. */
import { percent } from "../lib/format.js";
import { boxCorners, fillDot, limbs, outline, scaled, strokeLines, tag } from "../ui/marks.js";
import { inkOn } from "../ui/palette.js";
import { colour } from "./class_colours.js";

// The limbs of COCO's 17 keypoints, as ultralytics draws them; other sets of keypoints are drawn as points only.
const LIMBS = [
  [15, 13],
  [13, 11],
  [16, 14],
  [14, 12],
  [11, 12],
  [5, 11],
  [6, 12],
  [5, 6],
  [5, 7],
  [6, 8],
  [7, 9],
  [8, 10],
  [1, 2],
  [0, 1],
  [0, 2],
  [1, 3],
  [2, 4],
  [3, 5],
  [4, 6],
];
const KEYPOINT_CONFIDENCE = 0.5; // keypoints with a lower confidence are not drawn
const EDGE = "rgb(255 255 255 / 80%)";

export const labelOf = (item) => `${item.class} ${percent(item.confidence)}`;

/** Draw them, in order of confidence, so that the most confident stays readable. The class of a whole image is a tag in
 * its corner. `styleOf(item)` returns {quiet, strong} for some.
 *  @param {CanvasRenderingContext2D} context
 *  @param {any[]} detections
 *  @param {{scale: any, width: number, height: number, labels: boolean, marked?: any,
 *  styleOf?: (item: any) => {quiet?: boolean, strong?: boolean}}} options */
export function draw(context, detections, { scale, width, height, labels, marked = null, styleOf = () => ({}) }) {
  const line = Math.max(1.5, Math.min(4, (width + height) / 500));
  const boxes = detections.filter((item) => !item.top5);
  context.lineJoin = "round";
  for (const item of [...boxes].reverse())
    shape(context, item, scale, line, { ...styleOf(item), marked: item === marked });
  for (const item of detections.filter(({ top5 }) => top5)) label(context, item, scale, line, width);
  if (labels)
    for (const item of [...boxes].reverse()) if (!styleOf(item).quiet) label(context, item, scale, line, width);
}

function shape(context, item, scale, line, { quiet = false, strong = false, marked = false }) {
  const thick = strong || marked ? line * 1.7 : line;
  const alpha = quiet && !marked ? 0.75 : 1;
  outline(context, scaled(cornersOf(item), scale));
  if (item.polygon || marked) {
    context.globalAlpha = alpha * (marked ? 0.4 : 0.22);
    context.fillStyle = colour(item.class);
    context.fill();
  }
  context.globalAlpha = alpha;
  strokeLines(
    context,
    [
      [EDGE, thick + 2],
      [colour(item.class), thick],
    ],
    quiet ? [5, 4] : [],
  );
  if (item.keypoints) keypoints(context, item, scale, line);
  context.globalAlpha = 1;
}

const cornersOf = ({ polygon, corners, bbox }) => (polygon?.length > 2 ? polygon : corners || boxCorners(...bbox));

function keypoints(context, item, scale, line) {
  const isVisible = (point) => point && (point.length < 3 || point[2] >= KEYPOINT_CONFIDENCE);
  const pairs = item.keypoints.length === 17 ? LIMBS.map((limb) => limb.map((index) => item.keypoints[index])) : [];
  limbs(
    context,
    pairs.filter((pair) => pair.every(isVisible)).map((pair) => scaled(pair, scale)),
    colour(item.class),
    line,
  );
  for (const point of scaled(item.keypoints.filter(isVisible), scale))
    fillDot(context, point, Math.max(3.2, line * 1.6), colour(item.class), true);
}

/** The position of an item's name: the upper left of its box, the highest corner of an oriented box. */
const anchor = ({ corners, bbox }) =>
  corners ? corners.reduce((top, corner) => (corner[1] < top[1] ? corner : top)) : bbox.slice(0, 2);

/** The name on its colour above the box, inside if there is no room, never outside the image. */
function label(context, item, scale, line, width) {
  const size = Math.round(Math.max(11, Math.min(20, line * 6)));
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const text = labelOf(item);
  const [wide, high] = [Math.min(width, context.measureText(text).width + 8), size + 6];
  const [left, top] = anchor(item).map((side) => side * scale - line / 2);
  const area = {
    x: Math.max(0, Math.min(left, width - wide)),
    y: top >= high ? top - high : Math.max(0, top),
    width: wide,
    height: high,
  };
  tag(context, text, area, {
    ground: colour(item.class),
    ink: inkOn(colour(item.class)),
    indent: 4,
    baseline: high / 2 + 0.5,
  });
}
