/* Draws our lines in Chart.js. Its own line controller has an element for each point and repositions all of them at
   each update, which is most of an update's cost. This one has none: it iterates over the data once, when it draws, see
   polyline.js. Colour, width, dash, and `dots` (since a single point is no line) are properties of the dataset. */
import { lastDrawn, trace, within } from "./polyline.js";

const { Chart } = window;
export const FEW = 3; // points, below which each is marked

class Curve extends Chart.DatasetController {
  static id = "curve";

  static defaults = { datasetElementType: false, dataElementType: "point" };

  static overrides = { hover: { mode: "off" }, scales: { _index_: { type: "linear" }, _value_: { type: "linear" } } };

  update() {} // nothing is computed before it is drawn

  updateElements() {}

  getMaxOverflow() {
    return this.getDataset().borderWidth / 2;
  }

  draw() {
    const { data } = this.getDataset();
    const { xScale } = this.chart.getDatasetMeta(this.index);
    this.chart.ctx.save();
    this.length = this.stroke(within(data, xScale.min, xScale.max), 0);
    this.chart.ctx.restore();
  }

  /** Draw only the continuation of the line, beginning at the point before `from`. */
  extend(from) {
    const { ctx, chartArea: area } = this.chart;
    const { data, dots } = this.getDataset();
    const newest = data.slice(lastDrawn(data, from));
    if (newest.length < 2 && !dots) return;
    ctx.save();
    ctx.beginPath();
    ctx.rect(area.left, area.top, area.width, area.height);
    ctx.clip();
    this.length += this.stroke(newest, this.length);
    ctx.restore();
  }

  /** Draw a line, with a dash offset in pixels. Returns its length. */
  stroke(points, lineDashOffset) {
    const { ctx } = this.chart;
    const { data, borderColor, borderWidth, borderDash, dots } = this.getDataset();
    const { xScale, yScale } = this.chart.getDatasetMeta(this.index);
    const [toX, toY] = [(x) => xScale.getPixelForValue(x), (y) => yScale.getPixelForValue(y)];
    const style = { strokeStyle: borderColor, fillStyle: borderColor, lineWidth: borderWidth, lineDashOffset };
    // round and mitred joins cost three times as much, and look the same
    Object.assign(ctx, { ...style, lineJoin: "bevel" });
    ctx.setLineDash(borderDash);
    ctx.beginPath();
    const length = trace(points, toX, toY, (x, y) => ctx.lineTo(x, y));
    ctx.stroke();
    if (dots && data.length < FEW)
      for (const { x, y } of points) {
        if (y === null) continue;
        ctx.beginPath();
        ctx.arc(toX(x), toY(y), 3, 0, 7);
        ctx.fill();
      }
    return length;
  }
}

Chart.register(Curve);
