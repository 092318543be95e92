/* The machine, live: figures, devices and their users, the database, processes, the log. */
import { AppLog } from "../ui/app_log.js";
import { $, blank, failure, h, setChildren } from "../lib/dom.js";
import { bytes, duration, number, percent, significant } from "../lib/format.js";
import { Gauges } from "../charts/gauges.js";
import { t } from "../lib/i18n.js";
import { jobsOn, showJobs } from "../ui/jobs.js";
import { SystemFeed } from "../ui/system_feed.js";
import { showWorkers } from "../ui/workers.js";

const gauges = new Gauges($("[data-gauges]"));
let log = null;

const PROGRAMS = {
  web: () => t("Server"),
  train: () => t("Run"),
  predict: () => t("Model test"),
  predict_video: () => t("Video analysis"),
  predict_images: () => t("Image analysis"),
  import_dataset: () => t("Dataset import"),
  export_dataset: () => t("Dataset export"),
  export_model: () => t("Model export"),
  hash_revision: () => t("Comparison of a dataset"),
  evaluate: () => t("Evaluation"),
  compare_evaluations: () => t("Comparison of evaluations"),
  check_weights: () => t("Check of an uploaded model"),
  split_preview: () => t("Preview of a split"),
  unpack_dataset: () => t("Dataset extraction"),
  video: () => t("Video conversion"),
  estimate: () => t("Estimate"),
  sample: () => t("Sample dataset"),
  weights: () => t("Initial weights"),
};

const link = ({ id, name }) =>
  h("a", { class: "name-link", href: `/trainings/${id}`, title: name }, name || t("run {id}", { id }));

function showDevices(devices, jobs) {
  setChildren(
    $("[data-devices]"),
    devices.map(({ device, name, trainings, measuring }) => {
      const users = [
        ...trainings.map(link),
        ...(measuring ? [h("span", { class: "under" }, t("estimate in progress"))] : []),
        ...jobsOn(device, jobs),
      ];
      return h(
        "div",
        { class: "device" },
        h("span", {}, device === "cpu" ? t("CPU") : `GPU ${device}`, name && h("span", { class: "under" }, ` ${name}`)),
        h("span", { class: "device-users" }, users.length ? users : h("span", { class: "quiet" }, t("free"))),
      );
    }),
  );
}

function showDatabase({ kind, size, queries, median, p95, longest }) {
  const time = (value) => (value === null ? "–" : `${significant(value)} ms`);
  const rows = [
    [t("Kind"), { sqlite: "SQLite", postgresql: "PostgreSQL" }[kind] || kind],
    [t("Size"), bytes(size)],
    [t("Queries since startup"), number(queries)],
    [t("Median time"), time(median)],
    [t("95th percentile"), time(p95)],
    [t("Slowest"), time(longest)],
  ];
  setChildren(
    $("[data-database]"),
    rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { class: "tabular" }, value)]),
  );
}

function showProcesses(processes) {
  $("[data-process-count]").textContent = number(processes.length);
  const head = [t("Process"), "PID", t("CPU"), t("Memory"), t("Threads"), t("Running for")];
  setChildren(
    $("[data-processes]"),
    h(
      "div",
      { class: "table-wrap", tabindex: 0, role: "group", "aria-label": t("Processes") },
      h(
        "table",
        { class: "list" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            head.map((text, index) => h("th", { scope: "col", class: index ? "number" : null }, text)),
          ),
        ),
        h(
          "tbody",
          {},
          processes.map(({ pid, program, training_id: id, cpu, rss, threads, uptime }) =>
            h(
              "tr",
              {},
              h(
                "td",
                {},
                id
                  ? h("a", { href: `/trainings/${id}` }, `${PROGRAMS[program]?.() || program} ${id}`)
                  : PROGRAMS[program]?.() || program,
              ),
              h("td", { class: "number" }, String(pid)),
              h("td", { class: "number" }, percent(cpu / 100)),
              h("td", { class: "number" }, bytes(rss)),
              h("td", { class: "number" }, number(threads)),
              h("td", { class: "number" }, duration(uptime)),
            ),
          ),
        ),
      ),
    ),
  );
}

function show(system) {
  $("[data-waiting]").hidden = true;
  $("[data-figures]").hidden = false;
  $("[data-sub]").textContent = t("{host} · server uptime: {time}", {
    host: system.host.name,
    time: duration(system.uptime),
  });
  gauges.show(system);
  showDevices(system.devices, system.jobs);
  showDatabase(system.database);
  showWorkers(system.workers, system.jobs);
  showJobs(system.jobs);
  showProcesses(system.processes);
  setChildren(
    $("[data-about]"),
    [
      [t("Host"), system.host.system],
      ["Python", system.host.python],
    ].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
  const panel = $(".log-panel"); // with PRIVATE_DATA only admins have it
  if (panel) log ??= new AppLog(panel);
}

const failed = $("[data-failure]");
const off = () =>
  blank({
    symbol: "eye-slash",
    title: t("System metrics are disabled"),
    text: t("The server runs with METRICS_ENABLED=False. Set it to True and restart the server."),
  });

const feed = new SystemFeed({
  show: (system) => {
    show(system);
    setChildren(failed);
  },
  fail: (error) => {
    $("[data-waiting]").hidden = true;
    if (!error.title) console.error(error);
    setChildren(
      failed,
      failure(error, () => feed.ask()),
    ); // the contents below stay: the last known state
  },
  off: () => {
    $("[data-waiting]").hidden = true;
    setChildren(failed, h("section", { class: "panel" }, off()));
  },
});
feed.start();
