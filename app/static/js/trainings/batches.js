/* The loss of each batch, live: a chart that grows many times a second and is drawn at most four times a second. */
import { Plot } from "../charts/plot.js";
import { t } from "../lib/i18n.js";

const MAX_POINTS = 1500;
const SLACK = 150; // surplus points before the oldest are removed, since moving the whole list is expensive
const DRAW_EVERY_MS = 250;
const SMOOTH = 0.06; // weight of the newest batch in the running mean

/** The position of a batch in the run: 2.5 is the middle of the third epoch. */
const progressOf = ({ epoch, batch, batches }) => epoch - 1 + batch / Math.max(1, batches);

export class BatchPlot extends Plot {
  constructor(name) {
    super({
      title: t("Loss per batch"),
      key: "batches",
      name,
      min: 0,
      dots: false,
      smooth: false,
      log: true,
      x: (point) => point.x,
      xMin: undefined,
      wait: t("The first value appears after the first batch."),
      series: [
        { label: t("running mean"), value: (point) => point.mean, colour: 1 },
        { label: t("batch"), value: (point) => point.loss, colour: 5, faint: true },
      ],
    });
  }

  /** Set all: [{epoch, batch, batches, loss}], oldest first. */
  fill(batches) {
    const points = [];
    batches.slice(-MAX_POINTS).forEach((batch) => points.push(this.point(batch, points.at(-1))));
    this.set(points);
  }

  /** Add one; a position that is not after the last one is a repetition or a new start. */
  next(batch) {
    if (!batch.epoch || !batch.batch || batch.loss === null || batch.loss === undefined) return;
    const x = progressOf(batch);
    const last = this.metrics.at(-1)?.x;
    if (x === last) return;
    if (x < last) this.set(this.metrics.filter((point) => point.x < x)); // an epoch that is repeated
    const point = this.point(batch, this.metrics.at(-1));
    this.metrics.push(point);
    this.wait.hidden = true;
    this.add(point);
    if (this.metrics.length > MAX_POINTS + SLACK) {
      this.shift(this.metrics.length - MAX_POINTS);
      this.outgrown = true;
    }
    this.outgrown ||= !this.fits();
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.grown();
    }, DRAW_EVERY_MS);
  }

  point(batch, before) {
    const mean = before?.mean ?? batch.loss;
    return { x: progressOf(batch), loss: batch.loss, mean: mean + SMOOTH * (batch.loss - mean) };
  }
}
