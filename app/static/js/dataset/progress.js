/* What a child does with the dataset now: its stage, how far it is, how long it will take. */
import { h, put } from "../dom.js";
import { duration, number, percent } from "../format.js";
import { t } from "../i18n.js";
import { bar } from "../status.js";

const STAGES = {
  reading: () => t("Reading the files"), scanning: () => t("Checking the images"), splitting: () => t("Splitting"), building: () => t("Creating the version"), checking: () => t("Checking the labels"),
};

/** The words of a stage. */
export const stageName = (stage) => (STAGES[stage] ? STAGES[stage]() : stage || t("Waiting for the dataset check"));

/** How far it is, 0..1; null where nobody knows. */
export const stageShare = (progress) => (progress?.total ? Math.min(1, progress.done / progress.total) : null);

const began = new Map(); // stage → {time, done}: when this page saw it first

function left({ stage, done, total, revision }) {
  const key = `${revision}:${stage}`;
  if (!began.has(key)) began.set(key, { time: performance.now(), done: done || 0 });
  const start = began.get(key);
  const [seconds, advanced] = [(performance.now() - start.time) / 1000, (done || 0) - start.done];
  if (!total || seconds < 1 || advanced <= 0) return "";
  const rate = advanced / seconds;
  return [t("{n} per second", { n: number(rate, rate < 10 ? 1 : 0) }), t("{time} left", { time: duration((total - done) / rate) })].join(" · ");
}

/** Show it in a panel, or hide the panel when nothing goes on. */
export function showProgress(place, current, progress) {
  const going = progress?.stage || current.busy;
  place.hidden = !going;
  if (!going) { began.clear(); put(place); return; }
  const { stage, done, total, revision } = progress || {};
  const first = !current.ready;
  const title = first ? stageName(stage) : t("Creating version {n}: {stage}", { n: number(revision), stage: stageName(stage) });
  put(place, h("div", { class: "panel-body" },
    h("div", { class: "meter-head" }, h("span", { role: "status" }, title), h("span", {}, total ? [t("{done} of {total}", { done: number(done), total: number(total) }), " · ", percent(stageShare(progress))] : "")),
    bar(stageShare(progress), "", t("Checking")), h("p", { class: "quiet tabular progress-left" }, total ? left(progress) : "")));
}
