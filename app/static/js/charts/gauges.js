/* Figures of the machine with their course over the last minutes. */
import { h, setChildren } from "../lib/dom.js";
import { bytes, fixed, isNumber, number, percent } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { SmallCurve } from "./small_curve.js";

const MAX_POINTS = 150; // five minutes at one value every two seconds
const rate = (value) => t("{size}/s", { size: bytes(value || 0) });
const used = (part, total) => t("{used} of {total}", { used: bytes(part), total: bytes(total) });

/** One figure: title, value, note and curve. */
class Gauge {
  constructor(title, { colour = 1, top = 100, extra = null } = {}) {
    this.value = h("div", { class: "gauge-value" });
    this.note = h("div", { class: "gauge-note" });
    this.curve = new SmallCurve({ className: "spark", colour, filled: true });
    this.top = top;
    this.values = [];
    this.extra = extra;
    this.element = h(
      "article",
      { class: "panel gauge" },
      h("h2", { class: "gauge-head", title }, title),
      this.value,
      this.note,
      extra,
      this.curve.element,
    );
  }

  show(figure, text, ...notes) {
    this.values = [...this.values, figure ?? 0].slice(-MAX_POINTS);
    this.value.textContent = text;
    this.note.textContent = notes.filter(Boolean).join(" · ");
    this.curve.setLatest(this.values, MAX_POINTS, this.top);
  }
}

/** All gauges, in a container; `show(figures)` with those of GET /api/system. */
export class Gauges {
  constructor(container) {
    this.container = container;
    this.gauges = new Map();
    this.cores = h("div", { class: "cores", "aria-hidden": "true" });
  }

  gauge(key, title, options) {
    if (!this.gauges.has(key)) {
      const fresh = new Gauge(title, options);
      this.gauges.set(key, fresh);
      this.container.append(fresh.element);
    }
    return this.gauges.get(key);
  }

  show({ cpu, memory, disk, network, gpus, process }) {
    this.showCpu(cpu);
    this.gauge("memory", t("Memory"), { colour: 2 }).show(
      memory.percent,
      percent(memory.percent / 100),
      used(memory.used, memory.total),
      t("server {size}", { size: bytes(process.rss) }),
    );
    for (const gpu of gpus) this.showGpu(gpu);
    this.gauge("disk", t("Disk"), { colour: 3 }).show(
      disk.percent,
      percent(disk.percent / 100),
      t("{free} free of {total}", { free: bytes(disk.free), total: bytes(disk.used + disk.free) }),
    );
    if (isNumber(disk.read))
      this.gauge("io", t("Disk read and write"), { colour: 3, top: null }).show(
        disk.read + disk.write,
        rate(disk.read + disk.write),
        t("read {read}, write {write}", { read: rate(disk.read), write: rate(disk.write) }),
      );
    this.gauge("network", t("Network"), { colour: 4, top: null }).show(
      (network.sent || 0) + (network.received || 0),
      rate((network.sent || 0) + (network.received || 0)),
      t("sent {sent}, received {received}", { sent: rate(network.sent), received: rate(network.received) }),
      tn("{n} live connection", "{n} live connections", network.connections),
    );
  }

  showCpu(cpu) {
    const gauge = this.gauge("cpu", t("CPU"), { extra: this.cores });
    gauge.show(
      cpu.percent,
      percent(cpu.percent / 100),
      t("load {load}", { load: cpu.load.map((value) => fixed(value, 2)).join(" · ") }),
      tn("{n} core", "{n} cores", cpu.count),
    );
    setChildren(
      this.cores,
      cpu.each.map((value) => h("span", { style: { height: `${value}%` } })),
    );
  }

  showGpu(gpu) {
    const facts = [
      isNumber(gpu.memory_used) && used(gpu.memory_used, gpu.memory_total),
      isNumber(gpu.temperature) && t("{degrees} °C", { degrees: number(gpu.temperature) }),
      isNumber(gpu.power) &&
        (isNumber(gpu.power_limit)
          ? t("{power} of {limit} W", { power: number(gpu.power), limit: number(gpu.power_limit) })
          : t("{power} W", { power: number(gpu.power) })),
    ];
    this.gauge(`gpu${gpu.index}`, `GPU ${gpu.index}: ${gpu.name || ""}`, { colour: 5 }).show(
      gpu.utilization,
      isNumber(gpu.utilization) ? percent(gpu.utilization / 100) : "–",
      facts.filter(Boolean).join(" · "),
    );
  }
}
