/* The weights that were saved during a training. */
import { get } from "./api.js";
import { failure, h, icon, put, skeleton } from "./dom.js";
import { ago, bytes, dateTime, fixed, number } from "./format.js";
import { t } from "./i18n.js";

export class CheckpointsView {
  /** `loaded(checkpoints)` is called with what the server has. */
  constructor(place, id, loaded) {
    Object.assign(this, { place, id, loaded, asked: 0 });
  }

  /** Ask the server, soon: several saves in a row are one question. */
  refresh() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 300);
  }

  async load() {
    const turn = ++this.asked;
    try {
      const { checkpoints } = await get(`/api/trainings/${this.id}/checkpoints`);
      if (turn !== this.asked) return;
      this.show(checkpoints);
      this.loaded(checkpoints);
    } catch (error) {
      if (turn === this.asked) put(this.place, h("div", { class: "panel-body" }, failure(error, () => { put(this.place, skeleton(2)); this.load(); })));
    }
  }

  show(checkpoints) {
    if (!checkpoints.length) { put(this.place, h("p", { class: "panel-empty" }, t("The first checkpoint is saved after the first epoch."))); return; }
    const measured = checkpoints.some(({ metrics }) => Number.isFinite(metrics?.map50)); // those of a classification have none
    const head = [["", t("Epoch")], ...(measured ? [["number", "mAP50"], ["number extra", "mAP50-95"]] : []), ["number", t("Size")], ["", ""]];
    put(this.place, h("div", { class: "table-wrap table-tall", tabindex: 0, role: "group", "aria-label": t("Checkpoints") }, h("table", { class: "list is-tight" },
      h("thead", {}, h("tr", {}, head.map(([look, text]) => h("th", { scope: "col", class: look || null }, text || h("span", { class: "visually-hidden" }, t("Download")))))),
      h("tbody", {}, [...checkpoints].sort((a, b) => b.epoch - a.epoch).map((item) => row(item, measured))))));
  }
}

function row(item, measured) {
  const { epoch, is_best: best, resumable, periodic, metrics = {}, size_bytes: size, created_at: created, url } = item;
  const marks = [best && mark("star-fill", t("best epoch")), resumable && mark("play-circle", t("a run can resume from it")), periodic && mark("pin-angle", t("kept (save_period)"))];
  return h("tr", { "data-checkpoint": epoch },
    h("td", { class: "nowrap", title: `${dateTime(created)} (${ago(created)})` }, h("strong", {}, number(epoch)), h("span", { class: "checkpoint-marks" }, marks.filter(Boolean))),
    measured && [h("td", { class: "number" }, fixed(metrics.map50)), h("td", { class: "number extra" }, fixed(metrics.map95))], h("td", { class: "number under" }, bytes(size)),
    h("td", { class: "number" }, url && h("a", { class: "icon-button", href: url, download: true, title: t("Download the weights of epoch {epoch}", { epoch: number(epoch) }), "aria-label": t("Download the weights of epoch {epoch}", { epoch: number(epoch) }) }, icon("download"))));
}

const mark = (symbol, title) => h("span", { title }, icon(symbol), h("span", { class: "visually-hidden" }, title));
