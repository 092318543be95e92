/* The checkpoints of a training. */
import { get } from "../lib/api.js";
import { failure, h, icon, setChildren, skeleton } from "../lib/dom.js";
import { ago, bytes, dateTime, fixed, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";

export class CheckpointsView {
  /** `loaded(checkpoints)` is called with the server's response. */
  constructor(container, id, loaded) {
    this.container = container;
    this.id = id;
    this.loaded = loaded;
    this.turn = 0;
    this.ended = false;
    this.uploaded = false; // trained elsewhere: their epoch is unknown
  }

  /** Load them, deferred, so that several saves in a row cause one request. */
  refresh() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 300);
  }

  async load() {
    const turn = ++this.turn;
    try {
      const { checkpoints } = await get(`/api/trainings/${this.id}/checkpoints`);
      if (turn !== this.turn) return;
      this.show(checkpoints);
      this.loaded(checkpoints);
    } catch (error) {
      if (turn === this.turn)
        setChildren(
          this.container,
          h(
            "div",
            { class: "panel-body" },
            failure(error, () => {
              setChildren(this.container, skeleton(2));
              this.load();
            }),
          ),
        );
    }
  }

  show(checkpoints) {
    if (!checkpoints.length) {
      const text = this.ended
        ? t("No checkpoints: the run ended before its first epoch was completed.")
        : t("The first checkpoint is saved after the first epoch.");
      setChildren(this.container, h("p", { class: "panel-empty" }, text));
      return;
    }
    // a classification has none
    const measured = checkpoints.some(({ metrics }) => Number.isFinite(metrics?.map50));
    const head = [
      ["", this.uploaded ? t("Weights") : t("Epoch")],
      ...(measured
        ? [
            ["number", "mAP50"],
            ["number extra", "mAP50-95"],
          ]
        : []),
      ["number", t("Size")],
      ["", ""],
    ];
    setChildren(
      this.container,
      h(
        "div",
        { class: "table-wrap table-tall", tabindex: 0, role: "group", "aria-label": t("Checkpoints") },
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
                  text || h("span", { class: "visually-hidden" }, t("Download")),
                ),
              ),
            ),
          ),
          h(
            "tbody",
            {},
            [...checkpoints].sort((a, b) => b.epoch - a.epoch).map((item) => row(item, measured, this.uploaded)),
          ),
        ),
      ),
    );
  }
}

function row(item, measured, uploaded) {
  const { epoch, is_best: best, resumable, periodic, metrics = {}, size_bytes: size, created_at: created, url } = item;
  const marks = [
    best && !uploaded && mark("star-fill", t("best epoch")),
    resumable && mark("play-circle", t("a run can resume from it")),
    periodic && mark("pin-angle", t("kept (save_period)")),
  ];
  const download = uploaded
    ? t("Download the weights")
    : t("Download the weights of epoch {epoch}", { epoch: number(epoch) });
  return h(
    "tr",
    { "data-checkpoint": epoch },
    h(
      "td",
      { class: "nowrap", title: `${dateTime(created)} (${ago(created)})` },
      h("strong", {}, uploaded ? t("trained elsewhere") : number(epoch)),
      h("span", { class: "checkpoint-marks" }, marks.filter(Boolean)),
    ),
    measured && [
      h("td", { class: "number" }, fixed(metrics.map50)),
      h("td", { class: "number extra" }, fixed(metrics.map95)),
    ],
    h("td", { class: "number under" }, bytes(size)),
    h(
      "td",
      { class: "number" },
      url &&
        h(
          "a",
          {
            class: "icon-button",
            href: url,
            download: true,
            title: download,
            "aria-label": download,
          },
          icon("download"),
        ),
    ),
  );
}

const mark = (symbol, title) => h("span", { title }, icon(symbol), h("span", { class: "visually-hidden" }, title));
