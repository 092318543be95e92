/* The events of a training for its timeline: notes, advice, checkpoints and its end, as sentences. */
import { get } from "../lib/api.js";
import { setMarks } from "../charts/event_marks.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { isUploaded, learnedNothing } from "../ui/status.js";
import { Timeline } from "./timeline.js";

const LEVELS = { warning: "warning", error: "error" };
const PAUSES = new Set(["shutdown", "disk_low", "disk_full"]);
const ENDS = {
  completed: ["good", () => t("The run completed.")],
  failed: ["error", () => t("The run failed.")],
  cancelled: ["cancelled", () => t("The run stopped.")],
  paused: ["paused", () => t("The run paused.")],
};

const noteEntry = ({ seq, time, timestamp, epoch, level, message, code }) => ({
  key: `note-${seq}`,
  seq,
  time: time || timestamp,
  epoch,
  kind: PAUSES.has(code) ? "paused" : LEVELS[level] || "note",
  text: message || code,
});

const adviceEntry = ({ seq, time, timestamp, epoch, message, code, hint }) => ({
  key: `advice-${seq}`,
  seq,
  time: time || timestamp,
  epoch,
  kind: "advice",
  text: message || code,
  hint,
});

const savedEntry = ({ epoch, is_best: best, created_at: time }) => ({
  key: `saved-${epoch}`,
  seq: 0,
  time,
  epoch,
  kind: best ? "checkpoint" : "note",
  text: best ? t("Checkpoint saved. Best epoch so far: {epoch}.", { epoch: number(epoch) }) : t("Checkpoint saved."),
});

const ENTRIES = { training_note: noteEntry, training_advice: adviceEntry };

export class EventsView {
  /** `adviceChanged(advice)` is called with the newest advice, null if there is none. */
  constructor(container, id, adviceChanged) {
    this.id = id;
    this.adviceChanged = adviceChanged;
    this.timeline = new Timeline(container);
    this.entries = new Map(); // key → entry, of notes and advice
    this.saved = [];
    this.end = [];
    this.uploaded = false;
  }

  /** All of them so far, from a snapshot. */
  fill(notes, advice) {
    this.entries = new Map([...notes.map(noteEntry), ...advice.map(adviceEntry)].map((entry) => [entry.key, entry]));
    this.show();
  }

  /** Without a snapshot: the training's own notes, without their time. */
  fillNotes(notes) {
    if (!this.entries.size)
      this.fill(
        notes.map((note, index) => ({ ...note, seq: index - notes.length })),
        [],
      );
  }

  /** A broadcast message has no text: it is requested in the reader's language. */
  async arrived(event, { seq }) {
    try {
      const { events } = await get(`/api/trainings/${this.id}/events`, { after: seq - 1, limit: 1 });
      for (const { event: name, time, payload } of events.filter((item) => item.event === event)) {
        const entry = ENTRIES[name]({ ...payload, time });
        this.entries.set(entry.key, entry);
      }
      this.show();
    } catch {
      /* the next snapshot has it */
    }
  }

  /** For weights that were trained elsewhere, nothing was saved or ended here. */
  elsewhere() {
    this.uploaded = true;
    this.saved = [];
    this.end = [];
    this.show();
  }

  /** One entry per epoch: its best weights and the copy to resume from are two files. */
  checkpoints(rows) {
    if (this.uploaded) return;
    const best = new Set(rows.filter((row) => row.is_best).map(({ epoch }) => epoch));
    const byEpoch = new Map(rows.map((row) => [row.epoch, { ...row, is_best: best.has(row.epoch) }]));
    this.saved = [...byEpoch.values()].map(savedEntry);
    this.show();
  }

  state(training) {
    if (isUploaded(training)) {
      if (!this.uploaded) this.elsewhere();
      return;
    }
    const [kind, text] = learnedNothing(training)
      ? ["warning", () => t("Completed, but the model learned nothing.")]
      : ENDS[training.status] || [];
    const end = kind
      ? [{ key: "end", seq: Infinity, time: training.end_time, epoch: training.current_epoch, kind, text: text() }]
      : [];
    if (JSON.stringify(end) === JSON.stringify(this.end)) return;
    this.end = end;
    this.show();
  }

  show() {
    this.adviceChanged([...this.entries.values()].filter(({ kind }) => kind === "advice").at(-1) || null);
    this.timeline.set([...this.entries.values(), ...this.saved, ...this.end]);
    setMarks([...this.entries.values(), ...this.end].map(({ epoch, kind, text }) => ({ epoch, kind, text })));
  }
}
