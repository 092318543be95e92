/* The loss of each batch, live: a chart that grows many times a second and is drawn at most four times a second. */
import { Plot } from "./charts.js";
import { t } from "./i18n.js";

const KEEP = 2000;
const DRAW_EVERY_MS = 250;
const SMOOTH = 0.06; // weight of the newest batch in the running mean

/** Where in the run a batch is: 2.5 is the middle of the third epoch. */
const place = ({ epoch, batch, batches }) => epoch - 1 + batch / Math.max(1, batches);

export class BatchPlot extends Plot {
  constructor(name) {
    super({
      title: t("Loss of each batch"), name, full: true, min: 0, dots: false, x: (point) => point.x, xMin: undefined,
      wait: t("The first point appears with the first batch."),
      series: [
        { label: t("running mean"), value: (point) => point.mean, colour: 1 },
        { label: t("batch"), value: (point) => point.loss, colour: 5 },
      ],
    });
  }

  /** All at once: [{epoch, batch, batches, loss}], oldest first. */
  fill(batches) {
    this.metrics = [];
    batches.slice(-KEEP).forEach((batch) => this.take(batch));
    this.drawAll();
  }

  /** One more; what is not a later place than the last one is a repetition or begins anew. */
  add(batch) {
    if (!batch.epoch || !batch.batch || batch.loss === null || batch.loss === undefined) return;
    const x = place(batch);
    if (x === this.metrics.at(-1)?.x) return;
    if (x < this.metrics.at(-1)?.x) this.metrics = this.metrics.filter((point) => point.x < x); // an epoch that is repeated
    this.take(batch);
    this.timer ??= setTimeout(() => { this.timer = null; this.drawAll(); }, DRAW_EVERY_MS);
  }

  take(batch) {
    const before = this.metrics.at(-1)?.mean ?? batch.loss;
    this.metrics.push({ x: place(batch), loss: batch.loss, mean: before + SMOOTH * (batch.loss - before) });
    if (this.metrics.length > KEEP) this.metrics.shift();
  }

  drawAll() {
    this.set(this.metrics);
  }

  recolour() {
    super.recolour();
    const [mean, batch] = this.chart.data.datasets;
    Object.assign(mean, { borderWidth: 2 });
    Object.assign(batch, { borderWidth: 1, borderColor: `color-mix(in srgb, ${batch.borderColor} 45%, transparent)` });
  }
}
