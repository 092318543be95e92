/* The metrics of a training, as curves over its epochs; which ones depends on the task and on the recorded values. */
import { mount } from "../charts/line_chart.js";
import { Plot } from "../charts/plot.js";
import { t } from "../lib/i18n.js";

const part = (name) => (metric) => metric.parts?.[name];

const quality = (file) => [
  {
    title: "mAP",
    key: "map",
    name: file("map"),
    min: 0,
    max: 1,
    wide: true,
    series: [
      { label: "mAP50", value: (metric) => metric.map50, colour: 1 },
      { label: "mAP50-95", value: (metric) => metric.map95, colour: 2 },
    ],
  },
  {
    title: t("Precision and recall"),
    key: "precision-recall",
    name: file("precision-recall"),
    min: 0,
    max: 1,
    series: [
      { label: t("Precision"), value: (metric) => metric.precision, colour: 3 },
      { label: t("Recall"), value: (metric) => metric.recall, colour: 4 },
    ],
  },
];

const accuracy = (file) => [
  {
    title: t("Accuracy"),
    key: "accuracy",
    name: file("accuracy"),
    min: 0,
    max: 1,
    wide: true,
    series: [
      { label: t("Top-1 accuracy"), value: part("metrics/accuracy_top1"), colour: 1 },
      { label: t("Top-5 accuracy"), value: part("metrics/accuracy_top5"), colour: 2 },
    ],
  },
];

const loss = (file) => ({
  title: t("Loss"),
  key: "loss",
  name: file("loss"),
  min: 0,
  wide: true,
  log: true,
  series: [
    { label: t("training"), value: (metric) => metric.loss, colour: 1 },
    { label: t("validation"), value: (metric) => metric.val_loss, colour: 2, dashed: true },
  ],
});

/** The recorded parts of the loss: box, cls, dfl, and those of the task. */
function partsOfLoss(names, file) {
  const kinds = [
    ...new Set(
      names.filter((name) => /^(train|val)\/.*loss$/.test(name)).map((name) => name.replace(/^(train|val)\//, "")),
    ),
  ];
  if (kinds.length < 2) return [];
  const series = (split, mark) =>
    kinds.slice(0, 6).map((kind, index) => ({
      label: `${mark}${kind.replace(/_loss$/, "")}`,
      value: part(`${split}/${kind}`),
      colour: index + 1,
      dashed: split === "val",
    }));
  return [
    {
      title: t("Loss components"),
      key: "loss-parts",
      name: file("loss-parts"),
      min: 0,
      log: true,
      series: [...series("train", ""), ...series("val", "val ")],
    },
  ];
}

/** The learning rate; of each group of the optimizer if they differ. */
function rates(names, file) {
  const groups = names.filter((name) => name.startsWith("lr/")).sort();
  const series = groups.length
    ? groups.slice(0, 6).map((name, index) => ({
        label: name.slice(3),
        value: (metric) => metric.parts?.[name] ?? metric.learning_rate,
        colour: index + 1,
      }))
    : [{ label: t("learning rate"), value: (metric) => metric.learning_rate, colour: 1 }];
  return {
    title: t("Learning rate"),
    key: "learning-rate",
    name: file("learning-rate"),
    min: 0,
    log: true,
    smooth: false,
    series,
  };
}

/** The boxes of masks and keypoints, which are measured in addition. */
function boxes(names, file) {
  if (!names.includes("metrics/mAP50(B)")) return [];
  return [
    {
      title: t("Box mAP"),
      key: "map-boxes",
      name: file("map-boxes"),
      min: 0,
      max: 1,
      series: [
        { label: "mAP50", value: part("metrics/mAP50(B)"), colour: 1 },
        { label: "mAP50-95", value: part("metrics/mAP50-95(B)"), colour: 2 },
      ],
    },
  ];
}

/** The curves over epochs in `container`, with `further` after them; rebuilt when other parts are recorded. */
export class Curves {
  constructor(container, name, further) {
    this.container = container;
    this.further = further;
    this.plots = [];
    this.rendered = null;
    this.file = (suffix) => () => `${name()}-${suffix}`;
  }

  /** Every epoch so far. */
  set(task, metrics, best) {
    const names = [...new Set(metrics.flatMap((metric) => Object.keys(metric.parts || {})))].sort();
    const rendered = JSON.stringify([task, names]);
    if (rendered !== this.rendered) this.build(task, names);
    this.rendered = rendered;
    for (const plot of this.plots) {
      plot.best(best);
      plot.set(metrics);
    }
  }

  /** The text of the empty charts; while the run may still have values, when the first ones will come. */
  waiting(text) {
    for (const { wait, spec } of this.plots) wait.textContent = text ?? spec.wait;
  }

  build(task, names) {
    for (const plot of this.plots) plot.end();
    const { file } = this;
    const [main, ...rest] = task === "classify" ? accuracy(file) : quality(file);
    const specs = [main, loss(file), ...rest, ...boxes(names, file), ...partsOfLoss(names, file), rates(names, file)];
    this.plots = specs.map((spec) => new Plot(spec));
    if (this.mounted) {
      this.container.prepend(...this.plots.map(({ element }) => element));
      for (const plot of this.plots) plot.start();
    } else mount(this.container, [...this.plots, ...this.further]);
    this.mounted = true;
  }

  /** Add one epoch; returns false if it records other values than those before, and everything must be set. */
  push(metric, best) {
    const partNames = JSON.parse(this.rendered || "[null, []]")[1];
    if (!this.mounted || Object.keys(metric.parts || {}).some((name) => !partNames.includes(name))) return false;
    for (const plot of this.plots) {
      plot.best(best);
      plot.push(metric);
    }
    return true;
  }
}
