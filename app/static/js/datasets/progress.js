/* What a child does with the dataset now: its stage, how far it is, how long it will take. */
import { h, setChildren } from "../lib/dom.js";
import { duration, number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { bar } from "../ui/status.js";

const STAGES = {
  reading: () => t("Reading the files"),
  scanning: () => t("Checking the images"),
  splitting: () => t("Splitting"),
  building: () => t("Creating the version"),
  checking: () => t("Checking the labels"),
};

/** The words of a stage. */
export const stageName = (stage) => (STAGES[stage] ? STAGES[stage]() : stage || t("Waiting for the dataset check"));

/** How far it is, 0..1; null where nobody knows. */
export const stageShare = (progress) => (progress?.total ? Math.min(1, progress.done / progress.total) : null);

const began = new Map(); // stage → {time, done, last}: when this page saw it first, and the newest figure

function remaining({ stage, done, total, revision }) {
  const key = `${revision}:${stage}`;
  const started = began.get(key);
  const start =
    started && (done || 0) >= started.last ? started : { time: performance.now(), done: done || 0, last: 0 };
  start.last = done || 0; // fewer than before: it began anew, after a time in which nothing was done
  began.set(key, start);
  const [seconds, advanced] = [(performance.now() - start.time) / 1000, (done || 0) - start.done];
  if (!total || seconds < 1 || advanced <= 0) return "";
  const rate = advanced / seconds;
  return [
    t("{n} per second", { n: number(rate, rate < 10 ? 1 : 0) }),
    t("about {time} left", { time: duration((total - done) / rate) }),
  ].join(" · ");
}

/** Show it in a panel, or hide the panel when nothing goes on. */
export function showProgress(container, current, progress) {
  const going = progress?.stage || current.busy;
  container.hidden = !going;
  if (!going) {
    began.clear();
    setChildren(container);
    return;
  }
  const { stage, done, total, revision } = progress || {};
  const first = !current.ready;
  const title = first
    ? stageName(stage)
    : t("Creating version {n}: {stage}", { n: number(revision), stage: stageName(stage) });
  setChildren(
    container,
    h(
      "div",
      { class: "panel-body" },
      h(
        "div",
        { class: "meter-head" },
        h("span", { role: "status" }, title),
        h(
          "span",
          {},
          total
            ? [
                t("{done} of {total}", { done: number(done), total: number(total) }),
                " · ",
                percent(stageShare(progress)),
              ]
            : "",
        ),
      ),
      bar(stageShare(progress), "", t("Checking")),
      h("p", { class: "quiet tabular progress-left" }, total ? remaining(progress) : ""),
    ),
  );
}
