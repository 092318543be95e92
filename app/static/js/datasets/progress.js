/* The progress of a child process on the dataset: its stage, the share done, the time left. */
import { h, setChildren } from "../lib/dom.js";
import { duration, isNumber, number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { bar } from "../ui/status.js";

const STAGES = {
  extracting: () => t("Extracting the files"),
  reading: () => t("Reading the files"),
  scanning: () => t("Checking the images"),
  building: () => t("Creating the version"),
  checking: () => t("Checking the labels"),
};

/** The text of a stage. */
export const stageName = (stage) => (STAGES[stage] ? STAGES[stage]() : stage || t("Waiting for the dataset check"));

/** The overall share, 0..1; null if unknown. */
export const shareOf = (progress) => (isNumber(progress?.percent) ? progress.percent / 100 : null);

const doneText = ({ done, total }) =>
  total ? t("{done} of {total}", { done: number(done), total: number(total) }) : "";

/** The stage, and what is done of it. */
export const stageText = (progress) => [stageName(progress.stage), doneText(progress)].filter(Boolean).join(" · ");

/** What is done of the stage, its rate, and the remaining time of all stages, once they are measured. */
const paceText = ({ done, total, rate, eta }) =>
  [
    doneText({ done, total }),
    isNumber(rate) && t("{n} per second", { n: number(rate, rate < 10 ? 1 : 0) }),
    isNumber(eta) && t("about {time} left", { time: duration(eta) }),
  ]
    .filter(Boolean)
    .join(" · ");

/** Show it in a panel, or hide the panel if nothing is running. */
export function showProgress(container, current, progress) {
  const going = progress?.stage || current.busy;
  container.hidden = !going;
  if (!going) {
    setChildren(container);
    return;
  }
  const state = progress || {};
  const share = shareOf(state);
  const first = !current.ready;
  const title = first
    ? stageName(state.stage)
    : t("Creating version {n}: {stage}", { n: number(state.revision), stage: stageName(state.stage) });
  setChildren(
    container,
    h(
      "div",
      { class: "panel-body" },
      h(
        "div",
        { class: "meter-head" },
        h("span", { role: "status" }, title),
        h("span", {}, share === null ? "" : percent(share)),
      ),
      bar(share, "", t("Checking")),
      h("p", { class: "quiet tabular progress-left" }, paceText(state)),
    ),
  );
}
