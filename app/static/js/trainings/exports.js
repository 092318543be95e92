/* The best weights in other formats: the possible formats, the existing exports, and their quality beside the .pt. */
import { mayChangeHere } from "../lib/access.js";
import { get, post, remove } from "../lib/api.js";
import { button, failure, h, icon, setChildren, skeleton, toast } from "../lib/dom.js";
import { bytes, fixed, isNumber, percent } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { isUploaded } from "../ui/status.js";

const ASK_MS = 1000;
const UNDER_WAY = new Set(["pending", "running"]);
const PRECISIONS = { "": "FP32", half: "FP16", int8: "INT8" };
const STAGES = {
  exporting: () => t("Converting"),
  verifying: () => t("Verifying"),
  restoring: () => t("Improving INT8 accuracy"),
  confirming: () => t("Verifying"),
};

export class ExportsView {
  /** @param {HTMLElement} section @param {number} id of the run */
  constructor(section, id) {
    this.section = section;
    this.id = id;
    this.formats = null;
    this.body = section.querySelector("[data-export-body]");
  }

  /** @param {{downloadable: boolean, deleted_at: string | null, start: {kind: string} | null}} training */
  show(training) {
    this.uploaded = isUploaded(training);
    const exportable = training.downloadable && !training.deleted_at;
    this.section.hidden = !exportable;
    if (exportable && !this.formats && !this.loading) this.load();
  }

  async load() {
    this.loading = true;
    setChildren(this.body, skeleton(3));
    try {
      const [{ formats }, { exports }] = await Promise.all([get("/api/export-formats"), this.ask()]);
      this.formats = formats;
      this.list = h("div", { "data-export-list": true });
      setChildren(this.body, this.available.length > 0 && this.form(), this.list, this.missing());
      this.fill(exports);
    } catch (error) {
      setChildren(
        this.body,
        h(
          "div",
          { class: "panel-body" },
          failure(error, () => this.load()),
        ),
      );
    } finally {
      this.loading = false;
    }
  }

  ask() {
    return get(`/api/trainings/${this.id}/exports`);
  }

  get available() {
    return this.formats.filter((item) => item.available);
  }

  form() {
    const { available } = this;
    const format = h(
      "select",
      { class: "form-select form-select-sm", "aria-label": t("Format"), "data-export-format": true },
      available.map((item) => h("option", { value: item.format }, item.label)),
    );
    const precision = h("select", {
      class: "form-select form-select-sm",
      "aria-label": t("Numeric precision"),
      "data-export-precision": true,
    });
    const offer = () => {
      const { arguments: names } = available.find((item) => item.format === format.value);
      setChildren(
        precision,
        Object.entries(PRECISIONS)
          .filter(([name]) => !name || names.includes(name))
          .map(([name, label]) => h("option", { value: name }, label)),
      );
    };
    const preferred = available.find((item) => item.format === "onnx");
    if (preferred) format.value = preferred.format;
    format.addEventListener("change", offer);
    offer();
    const start = button("download", t("Export"), () => this.start(start, format.value, precision.value));
    start.dataset.needs = "trainer";
    start.dataset.exportStart = "";
    return h("div", { class: "export-form" }, format, precision, start);
  }

  async start(control, format, precision) {
    control.disabled = true;
    try {
      const options = precision && { [precision]: true };
      const answer = await post(`/api/trainings/${this.id}/exports`, { format, ...options });
      if (!UNDER_WAY.has(answer.status)) toast(answer.message, answer.status === "failed" ? "failed" : undefined);
      this.fill((await this.ask()).exports);
    } catch (error) {
      toast(error.detail || error.title, "failed");
    } finally {
      control.disabled = false;
    }
  }

  async erase(item, control) {
    control.disabled = true;
    try {
      await remove(`/api/exports/${item.id}`);
      this.fill((await this.ask()).exports);
    } catch (error) {
      toast(error.detail || error.title, "failed");
      control.disabled = false;
    }
  }

  fill(exports) {
    clearTimeout(this.timer);
    const erase = (item, control) => this.erase(item, control);
    setChildren(
      this.list,
      exports.length ? table(exports, erase, this.uploaded) : h("p", { class: "panel-empty" }, t("No exports yet.")),
    );
    if (exports.some(({ status }) => UNDER_WAY.has(status))) this.timer = setTimeout(() => this.again(), ASK_MS);
  }

  async again() {
    try {
      this.fill((await this.ask()).exports);
    } catch {
      this.timer = setTimeout(() => this.again(), 5 * ASK_MS); // the server is temporarily unavailable
    }
  }

  /** The formats that are not available on this server, and why. */
  missing() {
    const rows = this.formats.filter((item) => !item.available);
    if (!rows.length) return null;
    return h(
      "details",
      { class: "export-missing" },
      h("summary", {}, t("Formats that aren't available here")),
      h(
        "dl",
        {},
        rows.flatMap(({ label, reason }) => [h("dt", {}, label), h("dd", {}, reason)]),
      ),
    );
  }
}

function table(exports, erase, uploaded) {
  const head = [
    ["", t("Format")],
    ["number", mainName(exports)],
    ["number extra", t("Confidence threshold")],
    ["number extra", t("Latency")],
    ["number", t("Size")],
    ["", ""],
  ];
  const rows = h(
    "div",
    { class: "table-wrap" },
    h(
      "table",
      { class: "list is-tight" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map(([className, text]) =>
            h(
              "th",
              { scope: "col", class: className || null },
              text || h("span", { class: "visually-hidden" }, t("Actions")),
            ),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        exports.flatMap((item) => row(item, erase)),
      ),
    ),
  );
  return [
    rows,
    exports.some(({ verification }) => verification?.busy) && measuredBusy(),
    exports.some(({ verification }) => isNumber(verification?.map95)) && !uploaded && measuredAlone(),
  ];
}

/** The meaning of the mark beside a latency. */
const measuredBusy = () =>
  h(
    "p",
    { class: "panel-note export-alone" },
    t(
      "Busy server: other work used the CPU during the measurement, so these latencies are too high and can't be " +
        "compared. For new ones, delete the export and export the model again while the server is idle.",
    ),
  );

/** Why the .pt does not have exactly the metrics of the run; those of uploaded weights are unknown. */
const measuredAlone = () =>
  h(
    "p",
    { class: "panel-note export-alone" },
    t(
      "Here each image is measured alone, as exported models run. The run's own metrics come from padded batches " +
        "and differ slightly.",
    ),
  );

function row(item, erase) {
  const { arguments: options, verification } = item;
  const precision = options.int8 ? "INT8" : options.half ? "FP16" : "FP32";
  const notes = about(item);
  const figures = h(
    "tr",
    { class: notes ? "has-about" : null, "data-export": item.id, "data-export-status": item.status },
    h("td", {}, h("strong", {}, item.label), h("span", { class: "under" }, ` ${precision} · ${options.img_size} px`)),
    h("td", { class: "number" }, beside(main(verification), main(verification?.reference), 3)),
    h("td", { class: "number extra" }, isNumber(item.threshold) ? fixed(item.threshold, 2) : "–"),
    h(
      "td",
      { class: "number extra" },
      beside(verification?.latency_ms.p50, verification?.reference.latency_ms.p50, 1, " ms"),
      verification?.busy && h("span", { class: "under export-reference" }, t("busy server")),
    ),
    h("td", { class: "number under" }, item.size_bytes ? bytes(item.size_bytes) : "–"),
    h("td", { class: "number export-actions" }, item.url && download(item), mayChangeHere(item) && eraser(item, erase)),
  );
  return [figures, notes && h("tr", { class: "export-about" }, h("td", { colspan: 6 }, notes))];
}

/** The name of `main`. @param {{verification: {top1?: number} | null}[]} exports of one run */
export const mainName = (exports) =>
  exports.some(({ verification }) => isNumber(verification?.top1)) ? t("Top-1 accuracy") : "mAP50-95";

/** mAP50-95; for a classification the top-1 accuracy. */
const main = (figures) => figures?.map95 ?? figures?.top1;

const beside = (mine, theirs, digits, unit = "") =>
  isNumber(mine)
    ? [
        `${fixed(mine, digits)}${unit}`,
        h("span", { class: "under export-reference" }, `.pt ${fixed(theirs, digits)}${unit}`),
      ]
    : "–";

/** What is in progress, why it failed, or the notes on the file. */
function about({ status, progress, error, notes, verification, weights_changed: changed }) {
  if (UNDER_WAY.has(status)) {
    const share = progress?.percent ?? null;
    const stage = status === "pending" ? t("Queued") : STAGES[progress?.stage]?.() || t("Running");
    return [
      h("progress", { class: "job-progress", max: 100, value: share ?? undefined, "aria-label": t("Progress") }),
      ` ${stage}${share === null ? "" : ` · ${percent(share / 100)}`}`,
    ];
  }
  if (status === "completed") {
    const moved = verification?.at_threshold?.moved;
    const older = changed && t("The run has newer weights than this file. Export the model again.");
    const parts = [
      older,
      ...notes,
      moved && t("The confidences changed: the file comes with its own confidence threshold."),
    ];
    const text = parts.filter(Boolean).join(" ");
    return text || null;
  }
  if (status === "cancelled") return t("Stopped");
  return h("span", { class: "is-failed" }, icon("exclamation-triangle"), " ", error?.message);
}

/** Also stops it if it is in progress; it can be created again. */
function eraser(item, erase) {
  const text = UNDER_WAY.has(item.status) ? t("Stop") : t("Delete {name}", { name: item.label });
  const control = h(
    "button",
    { class: "icon-button", type: "button", title: text, "aria-label": text, "data-export-delete": item.id },
    icon(UNDER_WAY.has(item.status) ? "stop-fill" : "trash3"),
  );
  control.addEventListener("click", () => erase(item, control));
  return control;
}

const download = ({ url, label }) =>
  h(
    "a",
    {
      class: "icon-button",
      href: url,
      download: true,
      title: t("Download {name}", { name: label }),
      "aria-label": t("Download {name}", { name: label }),
    },
    icon("download"),
  );
