/* The machine, live: figures, devices and who uses them, the database, processes, the log. */
import { AppLog } from "../app_log.js";
import { $, blank, failure, h, put } from "../dom.js";
import { bytes, duration, number, percent, significant } from "../format.js";
import { Gauges } from "../gauges.js";
import { t } from "../i18n.js";
import { showJobs } from "../jobs.js";
import { SystemFeed } from "../system_feed.js";

const gauges = new Gauges($("[data-gauges]"));
let log = null;

const PROGRAMS = {
  web: () => t("Server"), train: () => t("Training"), predict: () => t("Model test"), validate: () => t("Dataset check"), ingest: () => t("Dataset import"),
  estimate: () => t("Estimate"), sample: () => t("Sample dataset"), weights: () => t("Initial weights"),
};

const link = ({ id, name }) => h("a", { class: "name-link", href: `/trainings/${id}`, title: name }, name || t("run {id}", { id }));

function showDevices(devices) {
  put($("[data-devices]"), devices.map(({ device, name, trainings, measuring }) => h("div", { class: "device" },
    h("span", {}, device === "cpu" ? t("CPU") : `GPU ${device}`, name && h("span", { class: "under" }, ` ${name}`)),
    h("span", { class: "device-users" }, trainings.map(link), measuring && h("span", { class: "under" }, t("estimate in progress")), !trainings.length && !measuring && h("span", { class: "quiet" }, t("free"))))));
}

function showDatabase({ kind, size, queries, median, p95, longest }) {
  const time = (value) => (value === null ? "–" : `${significant(value)} ms`);
  const rows = [[t("Kind"), { sqlite: "SQLite", postgresql: "PostgreSQL" }[kind] || kind], [t("Size"), bytes(size)], [t("Queries since startup"), number(queries)], [t("Median time"), time(median)], [t("95th percentile"), time(p95)], [t("Slowest"), time(longest)]];
  put($("[data-database]"), rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { class: "tabular" }, value)]));
}

function showProcesses(processes) {
  $("[data-process-count]").textContent = number(processes.length);
  const head = [t("Process"), "PID", t("CPU"), t("Memory"), t("Threads"), t("Running for")];
  put($("[data-processes]"), h("div", { class: "table-wrap", tabindex: 0, role: "group", "aria-label": t("Processes") }, h("table", { class: "list" },
    h("thead", {}, h("tr", {}, head.map((text, index) => h("th", { scope: "col", class: index ? "number" : null }, text)))),
    h("tbody", {}, processes.map(({ pid, program, training_id: id, cpu, rss, threads, uptime }) => h("tr", {},
      h("td", {}, id ? h("a", { href: `/trainings/${id}` }, `${PROGRAMS[program]?.() || program} ${id}`) : PROGRAMS[program]?.() || program),
      h("td", { class: "number" }, String(pid)), h("td", { class: "number" }, percent(cpu / 100)), h("td", { class: "number" }, bytes(rss)), h("td", { class: "number" }, number(threads)), h("td", { class: "number" }, duration(uptime))))))));
}

function show(system) {
  $("[data-waiting]").hidden = true;
  $("[data-figures]").hidden = false;
  $("[data-sub]").textContent = t("{host} · server uptime: {time}", { host: system.host.name, time: duration(system.uptime) });
  gauges.show(system);
  showDevices(system.devices);
  showDatabase(system.database);
  showJobs(system.jobs);
  showProcesses(system.processes);
  put($("[data-about]"), [[t("Host"), system.host.system], ["Python", system.host.python]].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  log ??= new AppLog($(".log-panel"));
}

const failed = $("[data-failure]");
const off = () => blank({ symbol: "eye-slash", title: t("System metrics are disabled"), text: t("The server runs with METRICS_ENABLED=False. Set it to True and restart the server.") });

const feed = new SystemFeed({
  show: (system) => { show(system); put(failed); },
  fail: (error) => {
    $("[data-waiting]").hidden = true;
    if (!error.title) console.error(error);
    put(failed, failure(error, () => feed.ask())); // what stands below stays: it is what was known last
  },
  off: () => { $("[data-waiting]").hidden = true; put(failed, h("section", { class: "panel" }, off())); },
});
feed.start();
