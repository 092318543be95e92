/* Marks over an image, on a canvas: outlines, keypoints with their limbs, and tags with a name. The callers convert
   their data to CSS pixels of the canvas and choose the style: datasets/marks.js, marked_picture.js and
   inference/detections.js. */

/** The canvas's context, cleared: `width` × `height` CSS pixels, at the screen's resolution. */
export function sharpContext(canvas, width, height) {
  const scale = window.devicePixelRatio || 1;
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  const context = canvas.getContext("2d");
  // Either empties it. What clearRect empties is white in a browser's print, and covers the image below.
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  else context.reset();
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.lineJoin = "round";
  return context;
}

/** The corners of an upright box. */
export const boxCorners = (x1, y1, x2, y2) => [
  [x1, y1],
  [x2, y1],
  [x2, y2],
  [x1, y2],
];

/** `[x, y, …]` points in other units, such as relative to the image's sides, as pixels. */
export const scaled = (points, x, y = x) => points.map((point) => [point[0] * x, point[1] * y]);

/** Make the closed outline through `corners` the context's path. */
export function outline(context, corners) {
  context.beginPath();
  for (const [x, y] of corners) context.lineTo(x, y);
  context.closePath();
}

/** Stroke the path with each of `lines`, [style, width], the edge first, so that it is visible on any background. */
export function strokeLines(context, lines, dash = []) {
  context.setLineDash(dash);
  for (const [strokeStyle, lineWidth] of lines) {
    Object.assign(context, { strokeStyle, lineWidth });
    context.stroke();
  }
  context.setLineDash([]);
}

/** Make a dot the context's path. */
export function dot(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

/** A filled dot, with a white ring of one pixel if `ring`. */
export function fillDot(context, point, radius, colour, ring = false) {
  dot(context, point, radius);
  context.fillStyle = colour;
  context.fill();
  if (ring) strokeLines(context, [["#fff", 1]]);
}

/** Straight lines between pairs of points. */
export function limbs(context, pairs, colour, width) {
  for (const [from, to] of pairs) {
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    strokeLines(context, [[colour, width]]);
  }
}

/** Text on a background of its own. `area`: {x, y, width, height} of the background; `indent` of the text, `baseline`
 *  below y. */
export function tag(context, text, area, { ground, ink = "#fff", indent, baseline }) {
  context.fillStyle = ground;
  context.fillRect(area.x, area.y, area.width, area.height);
  context.fillStyle = ink;
  context.fillText(text, area.x + indent, area.y + baseline, area.width - 2 * indent);
}
