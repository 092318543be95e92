/* The events of a training, newest first: decisions, incidents, advice, checkpoints, and its states. */
import { h, icon, setChildren } from "../lib/dom.js";
import { ago, dateTime, number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";

const AT_FIRST = 12;

const KINDS = {
  advice: ["lightbulb-fill", "is-advice"],
  warning: ["exclamation-triangle-fill", "is-warning"],
  error: ["x-octagon-fill", "is-error"],
  checkpoint: ["star-fill", "is-good"],
  good: ["check-circle-fill", "is-good"],
  paused: ["pause-circle-fill", "is-warning"],
  cancelled: ["slash-circle", "is-warning"],
  note: ["info-circle", ""],
};

/** Entries: {key, seq, time, epoch, kind, text, hint}. */
export class Timeline {
  constructor(container) {
    this.container = container;
    this.entries = [];
    this.all = false;
  }

  set(entries) {
    const last = ({ seq }) => Number(seq === Infinity); // its present state, whose time may be unknown
    this.entries = entries.sort(
      (a, b) => last(b) - last(a) || (b.time || "").localeCompare(a.time || "") || b.seq - a.seq,
    );
    this.show();
  }

  show() {
    if (!this.entries.length) {
      setChildren(this.container, h("p", { class: "panel-empty" }, t("Events of the run appear here.")));
      return;
    }
    const visible = this.all ? this.entries : this.entries.slice(0, AT_FIRST);
    const more = this.entries.length - visible.length;
    setChildren(
      this.container,
      // It scrolls on a phone, so it must be focusable by keyboard.
      h("ol", { class: "timeline", tabindex: 0, "aria-labelledby": "events-title" }, visible.map(item)),
      more > 0 &&
        h(
          "button",
          {
            class: "btn btn-outline btn-sm timeline-more",
            type: "button",
            onclick: () => {
              this.all = true;
              this.show();
            },
          },
          tn("Show {n} earlier event", "Show {n} earlier events", more),
        ),
    );
  }
}

function item({ key, time, epoch, kind, text, hint }) {
  const [symbol, className] = KINDS[kind] || KINDS.note;
  return h(
    "li",
    { class: `event ${className}`, "data-key": key, "data-kind": kind },
    h("span", { class: "event-symbol" }, icon(symbol)),
    h("div", { class: "event-text" }, h("span", {}, text), hint && h("span", { class: "event-hint" }, hint)),
    h(
      "span",
      { class: "event-time", title: dateTime(time) },
      [epoch ? t("epoch {epoch}", { epoch: number(epoch) }) : null, time ? ago(time) : null]
        .filter(Boolean)
        .join(" · "),
    ),
  );
}
