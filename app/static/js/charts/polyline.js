/* A line through points, in pixels: pure, for canvas and SVG alike. Points are {x, y}, sorted by x; a y of null is a
   gap that the line spans. */

/**
 * The index of the first item with a true answer; all items after it must have one, too.
 * @template T
 * @param {T[]} items
 * @param {(item: T) => boolean} answers
 */
export function firstIndex(items, answers) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (answers(items[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The last point at x or before it; undefined if there is none. @param {Point[]} points @param {number} x */
export const lastUpTo = (points, x) => points[firstIndex(points, (point) => point.x > x) - 1];

/** The points of a part of the axis, with one more on each side, so that the line reaches the edge.
 *  @param {Point[]} points @param {number} from @param {number} to */
export function within(points, from, to) {
  const [first, last] = [firstIndex(points, ({ x }) => x >= from), firstIndex(points, ({ x }) => x > to)];
  return first <= 1 && last >= points.length - 1 ? points : points.slice(Math.max(0, first - 1), last + 1);
}

/** The last point before the index `from` that is not a gap: a line continues from it. @param {Point[]} points
 *  @param {number} from */
export function lastDrawn(points, from) {
  let first = Math.max(0, from - 1);
  while (first > 0 && points[first].y === null) first -= 1;
  return first;
}

/**
 * Trace the line in pixels. Of the points in the same column of pixels the first, the extremes and the last suffice;
 * those without a position on the axis (zero on a logarithmic one) are skipped.
 * @param {Point[]} points
 * @param {(x: number) => number} toX pixels of a value
 * @param {(y: number) => number} toY
 * @param {(x: number, y: number) => void} lineTo
 * @returns {number} the length in pixels, where a dash goes on
 */
export function trace(points, toX, toY, lineTo) {
  /** @type {number | null} */
  let column = null;
  let [low, high, last, before, length] = [0, 0, 0, 0, 0];
  /** @type {[number, number] | null} */
  let at = null;
  /** @param {number} x @param {number} y */
  const to = (x, y) => {
    lineTo(x, y);
    if (at) length += Math.hypot(x - at[0], y - at[1]);
    at = [x, y];
  };
  /** @param {number} x */
  const close = (x) => {
    if (low === high) return;
    for (const y of [low, high, last]) to(x, y);
  };
  for (const point of points) {
    if (point.y === null) continue;
    const [x, y] = [toX(point.x), toY(point.y)];
    if (Number.isNaN(y)) continue;
    if (Math.trunc(x) === column) {
      low = Math.min(low, y);
      high = Math.max(high, y);
    } else {
      close(before);
      to(x, y);
      [column, low, high] = [Math.trunc(x), y, y];
    }
    [before, last] = [x, y];
  }
  close(before);
  return length;
}
