/* The workers on other machines (DISPATCH=rq): devices, present job, and whether they are alive. */
import { $, blank, h, setChildren } from "../lib/dom.js";
import { bytes, duration, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { titleOf } from "./jobs.js";

const STATES = {
  idle: () => t("Idle"),
  busy: () => t("Busy"),
  draining: () => t("Leaving"),
  lost: () => t("No sign of life"),
};

const deviceOf = ({ devices, gpus }) =>
  devices.includes("cpu")
    ? t("CPU")
    : [`GPU ${devices.join(", ")}`, gpus.length > 0 && h("span", { class: "under" }, ` ${gpus[0].name}`)];

const memoryOf = ({ gpus, memory }) => bytes(gpus.reduce((sum, gpu) => sum + (gpu.memory || 0), 0) || memory || 0);

const versionsOf = ({ versions }) =>
  ["app", "torch", "ultralytics"].filter((name) => versions[name]).map((name) => `${name} ${versions[name]}`);

function rowOf(worker, jobs) {
  const job = jobs.find(({ id, runner }) => id === worker.job_id && runner === worker.name);
  return h(
    "tr",
    {},
    h(
      "td",
      {},
      worker.name,
      worker.name.startsWith(worker.host) ? null : h("span", { class: "under" }, ` ${worker.host}`),
    ),
    h("td", {}, deviceOf(worker)),
    h("td", {}, STATES[worker.state]?.() ?? worker.state),
    h("td", {}, job ? titleOf(job) : "–"),
    h("td", { class: "number" }, memoryOf(worker)),
    h("td", { class: "number" }, t("{time} ago", { time: duration(worker.heartbeat) })),
    h("td", { class: "quiet" }, versionsOf(worker).join(" · ")),
  );
}

/** All workers, as in GET /api/system; hidden if jobs run beside the web process. */
export function showWorkers(workers, jobs) {
  const section = $("[data-workers]");
  if (!section || !workers) return;
  $("[data-worker-count]").textContent = number(workers.length);
  const title = t("No workers");
  const text = t("Jobs wait until one is started: python -m scripts.worker --gpu 0, or --cpu.");
  if (!workers.length) {
    setChildren(section, blank({ symbol: "layers", title, text }));
    return;
  }
  const head = [t("Worker"), t("Device"), t("State"), t("Job"), t("Memory"), t("Last sign of life"), t("Versions")];
  const names = head.map((name, index) =>
    h("th", { scope: "col", class: index === 4 || index === 5 ? "number" : null }, name),
  );
  setChildren(
    section,
    h(
      "div",
      { class: "table-wrap", tabindex: 0, role: "group", "aria-label": t("Workers") },
      h(
        "table",
        { class: "list" },
        h("thead", {}, h("tr", {}, names)),
        h(
          "tbody",
          {},
          workers.map((worker) => rowOf(worker, jobs)),
        ),
      ),
    ),
  );
}
