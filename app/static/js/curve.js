/* How Chart.js draws the curves of a training. Its own line keeps an element for each point and places all of them anew at each update,
   which is most of what an update costs. This one keeps none: it goes over the data once, when it draws. Data is {x, y}, sorted by x;
   a y of null is a gap that the line spans. Colour, width, dash, and `dots` (a point alone is no line) are the dataset's own. */
const { Chart } = window;
export const FEW = 3; // points, below which each is marked

class Curve extends Chart.DatasetController {
  static id = "curve";

  static defaults = { datasetElementType: false, dataElementType: "point" };

  static overrides = { hover: { mode: "off" }, scales: { _index_: { type: "linear" }, _value_: { type: "linear" } } };

  update() {} // nothing is placed before it is drawn

  updateElements() {}

  getMaxOverflow() {
    return this.getDataset().borderWidth / 2;
  }

  draw() {
    const { ctx } = this.chart;
    const { data, borderColor, borderWidth, borderDash, dots } = this.getDataset();
    const { xScale: x, yScale: y } = this.chart.getDatasetMeta(this.index);
    ctx.save();
    Object.assign(ctx, { strokeStyle: borderColor, fillStyle: borderColor, lineWidth: borderWidth, lineJoin: "bevel" }); // round and mitred joins cost three times as much, and look the same
    ctx.setLineDash(borderDash);
    ctx.beginPath();
    this.length = line(ctx, within(data, x.min, x.max), x, y);
    ctx.stroke();
    if (dots && data.length < FEW) mark(ctx, data, x, y);
    ctx.restore();
  }

  /** Draw the line from the point before `from` on, as if it went on from there. */
  extend(from) {
    const { ctx, chartArea: area } = this.chart;
    const { data, borderColor, borderWidth, borderDash, dots } = this.getDataset();
    const { xScale: x, yScale: y } = this.chart.getDatasetMeta(this.index);
    const newest = data.slice(start(data, from));
    if (newest.length < 2 && !dots) return;
    ctx.save();
    Object.assign(ctx, { strokeStyle: borderColor, fillStyle: borderColor, lineWidth: borderWidth, lineJoin: "bevel", lineDashOffset: this.length });
    ctx.setLineDash(borderDash);
    ctx.beginPath();
    ctx.rect(area.left, area.top, area.width, area.height);
    ctx.clip();
    ctx.beginPath();
    this.length += line(ctx, newest, x, y);
    ctx.stroke();
    if (dots && data.length < FEW) mark(ctx, newest, x, y);
    ctx.restore();
  }
}

/** The last point before `from` that is no gap: a line goes on from it. */
function start(data, from) {
  let first = Math.max(0, from - 1);
  while (first > 0 && data[first].y === null) first -= 1;
  return first;
}

/** The points of a part of the axis, with one more on each side: the line goes on to the edge. */
function within(data, from, to) {
  const [first, last] = [place(data, (point) => point.x >= from), place(data, (point) => point.x > to)];
  return first <= 1 && last >= data.length - 1 ? data : data.slice(Math.max(0, first - 1), last + 1);
}

/** Where the first point is that answers yes; those behind it do, too. */
export function place(data, answers) {
  let [low, high] = [0, data.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (answers(data[middle])) high = middle; else low = middle + 1;
  }
  return low;
}

/** The path through the points; its length in pixels, where a dash goes on. Of those that fall into the same column of pixels the first, the
    extremes and the last are enough. */
function line(ctx, points, xScale, yScale) {
  let [column, low, high, last] = [null, 0, 0, 0];
  let [length, at] = [0, null];
  const to = (x, y) => {
    ctx.lineTo(x, y);
    if (at) length += Math.hypot(x - at[0], y - at[1]);
    at = [x, y];
  };
  const close = (x) => {
    if (low === high) return;
    to(x, low);
    to(x, high);
    to(x, last);
  };
  let before = 0;
  for (const point of points) {
    if (point.y === null) continue;
    const [x, y] = [xScale.getPixelForValue(point.x), yScale.getPixelForValue(point.y)];
    if (Number.isNaN(y)) continue; // no place on a logarithmic scale
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

function mark(ctx, points, xScale, yScale) {
  for (const { x, y } of points) {
    if (y === null) continue;
    ctx.beginPath();
    ctx.arc(xScale.getPixelForValue(x), yScale.getPixelForValue(y), 3, 0, 7);
    ctx.fill();
  }
}

Chart.register(Curve);
