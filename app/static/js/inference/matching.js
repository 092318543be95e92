/* The detections of two models in an image, matched. */
const SAME_IOU = 0.5; // the usual threshold for "the same object" (PASCAL VOC)

/** Intersection over union of two boxes [x1, y1, x2, y2]. */
export function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(a) + area(b) - width * height);
}

/** Pairs of the same class that overlap, the best overlap first; each detection is in one pair at most. Returns rows
 *  {a, b, overlap}, with null if only one model detected it. */
export function match(first, second) {
  const pairs = first
    .flatMap((a) => second.filter((b) => b.class === a.class).map((b) => ({ a, b, overlap: overlap(a.bbox, b.bbox) })))
    .filter((pair) => pair.overlap >= SAME_IOU)
    .sort((x, y) => y.overlap - x.overlap);
  const matched = new Set();
  const both = pairs.filter(({ a, b }) => !matched.has(a) && !matched.has(b) && matched.add(a).add(b));
  const alone = (list) => list.filter((item) => !matched.has(item));
  return [...both, ...alone(first).map((a) => ({ a, b: null })), ...alone(second).map((b) => ({ a: null, b }))];
}
