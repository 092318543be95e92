/* Background jobs: running and pending ones, with a stop button for each; and waiting for one. */
import { mayChange } from "../lib/access.js";
import { get, post } from "../lib/api.js";
import { $, h, icon, setChildren, toast } from "../lib/dom.js";
import { duration, number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { datasetLink } from "./dataset_link.js";

export const KINDS = {
  import_dataset: () => t("Dataset import"),
  read_dataset: () => t("Dataset import"),
  index_dataset: () => t("Index of a dataset"),
  export_dataset: () => t("Dataset export"),
  draw_sample: () => t("Sample dataset"),
  estimate: () => t("Estimate of a run"),
  hash_revision: () => t("Comparison of a dataset"),
  training: () => "", // the link to the run has it
  export_model: () => t("Model export"),
  export_model_automatic: () => t("Model export"),
  evaluate: () => t("Evaluation"),
  evaluate_automatic: () => t("Evaluation"),
  predict_video: () => t("Video analysis"),
  predict_images: () => t("Image analysis"),
  predict: () => t("Models of tests"),
};
const RESIDENT = new Set(["predict"]); // runs until it is stopped: there is no progress
const STATES = { pending: () => t("Queued"), running: () => t("Running") };
const ENDED = new Set(["completed", "failed", "cancelled"]);
const ASK_MS = 500;

const SUBJECTS = {
  dataset: ({ id }, name) => datasetLink(id, name),
  training: ({ id }) => h("a", { href: `/trainings/${id}` }, t("Run {id}", { id })),
};

const subjectOf = ({ subject, subject_name: name }) => SUBJECTS[subject?.type]?.(subject, name) || null;

/** The running jobs on a device, beside its runs and estimates, by their usual names; kept models give way to all
 *  others. */
export function jobsOn(device, jobs) {
  const listedElsewhere = new Set(["training", "estimate", ...RESIDENT]);
  const usesDevice = ({ kind, status, device: devices }) =>
    status === "running" && !listedElsewhere.has(kind) && (devices ?? "").split(",").includes(device);
  return jobs.filter(usesDevice).map((job) => h("span", {}, nameOf(job), " ", subjectOf(job)));
}

/** The kind and the subject of a job. */
export const titleOf = (job) => [nameOf(job), " ", subjectOf(job)];

const nameOf = ({ kind }) => KINDS[kind]?.() ?? kind;

function stateOf({ status, progress, stop_requested: stopping }) {
  if (stopping) return t("Stopping");
  const { percent: share, eta } = progress;
  if (status !== "running" || share === null) return STATES[status]?.() || status;
  const remaining = eta === null ? "" : ` · ${t("about {time} left", { time: duration(eta) })}`;
  return `${percent(share / 100)}${remaining}`;
}

async function stop(job, button) {
  button.disabled = true;
  try {
    await post(`/api/jobs/${job.id}/stop`);
  } catch (error) {
    button.disabled = false;
    toast(error.detail || error.title, "failed");
  }
}

function row(job) {
  const button = h(
    "button",
    {
      type: "button",
      class: "btn btn-sm btn-outline-secondary",
      disabled: job.stop_requested,
      onclick: () => stop(job, button),
    },
    icon("stop-fill"),
    " ",
    t("Stop"),
  );
  return h(
    "tr",
    { "data-job": String(job.id) },
    h("td", {}, nameOf(job), " ", subjectOf(job)),
    h(
      "td",
      { class: "job-state" },
      RESIDENT.has(job.kind)
        ? null
        : h("progress", {
            class: "job-progress",
            max: 100,
            value: job.progress.percent ?? undefined,
            "aria-label": t("Progress"),
          }),
      " ",
      stateOf(job),
    ),
    h("td", { class: "number" }, mayChange(job) && button),
  );
}

/** The rows of the System page. */
export function showJobs(jobs) {
  $("[data-job-count]").textContent = jobs.length ? number(jobs.length) : "";
  setChildren(
    $("[data-jobs]"),
    jobs.length
      ? h(
          "div",
          { class: "table-wrap" },
          h(
            "table",
            { class: "list is-cards" },
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                [t("Job"), t("Progress"), ""].map((text) => h("th", { scope: "col" }, text)),
              ),
            ),
            h("tbody", {}, jobs.map(row)),
          ),
        )
      : h("p", { class: "panel-body quiet" }, t("No background jobs are running.")),
  );
}

/** The job once it has ended. */
export async function ended(id) {
  for (;;) {
    const job = await get(`/api/jobs/${id}`);
    if (ENDED.has(job.status)) return job;
    await new Promise((resolve) => {
      setTimeout(resolve, ASK_MS);
    });
  }
}
