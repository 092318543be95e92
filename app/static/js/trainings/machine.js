/* The machine during a training: its figures with the last minutes as small curves. */
import { h, setChildren, write } from "../lib/dom.js";
import { ago, bytes, isNumber, number, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { SmallCurve } from "../charts/small_curve.js";

const MAX_POINTS = 150;
const OLD_AFTER_MS = 15_000;
const rate = (value) => t("{size}/s", { size: bytes(value) });
const of = (used, total) => t("{used} of {total}", { used: bytes(used), total: bytes(total) });
const joined = (parts) => parts.filter(Boolean).join(" · ");

/** The rows: key → {label, values(figures) for the curve, text(figures), top of the curve}. */
function rowsOf(figures) {
  const rows = [
    { key: "cpu", label: t("CPU"), top: 100, value: (item) => item.cpu, text: (item) => percent(item.cpu / 100) },
    {
      key: "memory",
      label: t("Memory"),
      top: figures.memory_total,
      value: (item) => item.memory_used,
      text: (item) => of(item.memory_used, item.memory_total),
      note: (item) => (item.process_memory ? t("this run: {size}", { size: bytes(item.process_memory) }) : ""),
    },
  ];
  (figures.gpus || []).forEach((gpu, index) => {
    const gpuOf = (item) => item.gpus?.[index] || {};
    rows.push({
      key: `gpu${index}`,
      label: gpu.name || t("GPU"),
      top: 100,
      value: (item) => gpuOf(item).utilization,
      text: (item) => percent(gpuOf(item).utilization / 100),
      note: (item) =>
        joined([
          isNumber(gpuOf(item).temperature) && `${number(gpuOf(item).temperature)} °C`,
          isNumber(gpuOf(item).power) && `${number(gpuOf(item).power)} W`,
        ]),
    });
    rows.push({
      key: `gpu-memory${index}`,
      label: t("GPU memory"),
      top: gpu.memory_total,
      value: (item) => gpuOf(item).memory_used,
      text: (item) => of(gpuOf(item).memory_used, gpuOf(item).memory_total),
    });
  });
  return [
    ...rows,
    {
      key: "disk",
      label: t("Disk"),
      value: (item) => item.disk_read + item.disk_write,
      text: (item) => rate(item.disk_read + item.disk_write),
      note: (item) =>
        t("read {read}, written {written}", { read: rate(item.disk_read), written: rate(item.disk_write) }),
    },
    {
      key: "network",
      label: t("Network"),
      value: (item) => item.net_received + item.net_sent,
      text: (item) => rate(item.net_received + item.net_sent),
      note: (item) =>
        t("received {received}, sent {sent}", { received: rate(item.net_received), sent: rate(item.net_sent) }),
    },
  ];
}

export class MachineView {
  constructor(container) {
    this.container = container;
    this.all = [];
    this.rows = null;
  }

  /** All figures so far, oldest first; `running`: whether more will come. */
  set(figures, running) {
    this.all = figures.slice(-MAX_POINTS);
    this.rows = null;
    this.running = running;
    this.show();
  }

  push(figures) {
    this.all = [...this.all.slice(1 - MAX_POINTS), figures];
    this.show();
  }

  show() {
    const last = this.all.at(-1);
    if (!last) {
      setChildren(
        this.container,
        h(
          "p",
          { class: "quiet" },
          this.running
            ? t("The first values appear in a few seconds.")
            : t("Hardware metrics appear here while the run is in progress."),
        ),
      );
      return;
    }
    const rows = rowsOf(last);
    if (this.rows?.length !== rows.length) this.build(rows);
    this.rows.forEach((row, index) => {
      const { text, note, value } = rows[index];
      write(row.text, text(last));
      write(row.note, note?.(last) || "");
      row.curve.setLatest(
        this.all.map((item) => value(item) ?? 0),
        MAX_POINTS,
        row.top ?? null,
      );
    });
    const time = last.time || last.timestamp;
    const old = time && Date.now() - Date.parse(time) > OLD_AFTER_MS;
    this.old.hidden = !old;
    if (old) this.old.textContent = t("Updated {time}", { time: ago(time) });
  }

  build(groups) {
    this.rows = groups.map(({ top }, index) => ({
      curve: new SmallCurve({ className: "spark", colour: (index % 4) + 1, filled: true }),
      top,
      text: h("strong"),
      note: h("span", { class: "machine-note" }),
    }));
    this.old = h("p", { class: "under", hidden: true });
    setChildren(
      this.container,
      h(
        "div",
        { class: "machine" },
        this.rows.map((row, index) =>
          h(
            "div",
            { class: "machine-row", "data-figure": groups[index].key },
            h("span", { class: "machine-label", title: groups[index].label }, groups[index].label),
            row.text,
            row.curve.element,
            row.note,
          ),
        ),
      ),
      this.old,
    );
  }
}
