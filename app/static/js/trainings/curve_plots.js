/* The curves of a measured model: precision, recall and F1 over the confidence, and precision over recall, by class. */
import { Plot } from "../charts/plot.js";
import { setChildren } from "../lib/dom.js";
import { fixed } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { seriesOf } from "../ui/palette.js";

const ALL = 5; // grey: all classes together are no class of their own
const MOST = 5; // classes with a curve of their own

/** Draws them into `container`; returns the plots, which must be ended with it. `curves`: as in the API, each class
 *  with its name and maybe its number; `threshold`: the recommended confidence, or null; `name()`: the beginning of
 *  saved files' names. */
export function curvePlots(container, { curves, threshold, name }) {
  const classes = curves.classes.slice(0, MOST);
  const points = curves.x.map((x, index) => ({
    x,
    precision: curves.precision[index],
    recall: curves.recall[index],
    f1: curves.f1[index],
    pr: curves.pr[index],
    classes: classes.map((item) => ({ f1: item.f1[index], pr: item.pr[index] })),
  }));
  const numbers = classes.map((item, index) => item.class ?? index);
  const colours = seriesOf(numbers);
  const byClass = (key) =>
    classes.map((item, index) => ({
      label: item.name,
      colour: colours.get(numbers[index]),
      faint: true,
      value: (point) => point.classes[index][key],
    }));
  const shared = { x: (point) => point.x, xMin: 0, xMax: 1, min: 0, max: 1, smooth: false, dots: false, alone: true };
  const several = curves.classes.length > 1;
  const plots = [
    new Plot({
      ...shared,
      title: t("By confidence threshold"),
      key: "evaluation-confidence",
      name: () => `${name()}-confidence`,
      mark: threshold !== null && { x: threshold, label: fixed(threshold, 2) },
      xTitle: t("Confidence"),
      series: [
        { label: "F1", value: (point) => point.f1, colour: 1 },
        { label: t("Precision"), value: (point) => point.precision, colour: 3 },
        { label: t("Recall"), value: (point) => point.recall, colour: 4 },
      ],
    }),
    new Plot({
      ...shared,
      title: t("Precision-recall curve"),
      key: "evaluation-pr",
      name: () => `${name()}-precision-recall-curve`,
      xTitle: t("Recall"),
      series: [{ label: t("all classes"), value: (point) => point.pr, colour: ALL }, ...(several ? byClass("pr") : [])],
    }),
    ...(several
      ? [
          new Plot({
            ...shared,
            title: t("F1 of each class"),
            key: "evaluation-f1",
            name: () => `${name()}-f1-classes`,
            xTitle: t("Confidence"),
            series: [{ label: t("all classes"), value: (point) => point.f1, colour: ALL }, ...byClass("f1")],
          }),
        ]
      : []),
  ];
  setChildren(
    container,
    plots.map((plot) => plot.element),
  );
  plots.forEach((plot) => {
    plot.start();
    plot.set(points);
  });
  return plots;
}
