/* Background jobs: what runs and waits, with a stop for each; and waiting for one. */
import { get, post } from "./api.js";
import { $, h, icon, put, toast } from "./dom.js";
import { duration, number, percent } from "./format.js";
import { t } from "./i18n.js";

const KINDS = {
  export_dataset: () => t("Dataset export"),
  draw_sample: () => t("Sample dataset"),
  hash_revision: () => t("Comparison of a dataset"),
};
const STATES = { pending: () => t("Queued"), running: () => t("Running") };
const ENDED = new Set(["completed", "failed", "cancelled"]);
const ASK_MS = 500;

const subjectOf = ({ subject }) => (subject?.type === "dataset"
  ? h("a", { href: `/datasets/${subject.id}` }, t("Dataset {id}", { id: subject.id }))
  : null);

function stateOf({ status, progress, stop_requested: stopping }) {
  if (stopping) return t("Stopping");
  const { percent: share, eta } = progress;
  if (status !== "running" || share === null) return STATES[status]?.() || status;
  const left = eta === null ? "" : ` · ${t("about {time} left", { time: duration(eta) })}`;
  return `${percent(share / 100)}${left}`;
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
  const button = h("button", { type: "button", class: "btn btn-sm btn-outline-secondary", disabled: job.stop_requested, onclick: () => stop(job, button) }, icon("stop-fill"), " ", t("Stop"));
  return h("tr", { dataset: { job: String(job.id) } },
    h("td", {}, KINDS[job.kind]?.() || job.kind, " ", subjectOf(job)),
    h("td", {}, h("progress", { class: "job-progress", max: 100, value: job.progress.percent ?? undefined, "aria-label": t("Progress") }), " ", stateOf(job)),
    h("td", { class: "number" }, button));
}

/** The rows of the system page. */
export function showJobs(jobs) {
  $("[data-job-count]").textContent = jobs.length ? number(jobs.length) : "";
  put($("[data-jobs]"), jobs.length
    ? h("div", { class: "table-wrap" }, h("table", { class: "list" },
      h("thead", {}, h("tr", {}, [t("Job"), t("Progress"), ""].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, jobs.map(row))))
    : h("p", { class: "panel-body quiet" }, t("No background jobs are running.")));
}

/** The job once it has ended. */
export async function ended(id) {
  for (;;) {
    const job = await get(`/api/jobs/${id}`);
    if (ENDED.has(job.status)) return job;
    await new Promise((resolve) => { setTimeout(resolve, ASK_MS); });
  }
}
