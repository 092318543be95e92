/* The story of a training for its timeline: notes, advice, checkpoints and its end become sentences. */
import { get } from "./api.js";
import { setMarks } from "./crosshair.js";
import { number } from "./format.js";
import { t } from "./i18n.js";
import { learnedNothing } from "./status.js";
import { Timeline } from "./timeline.js";

const LEVELS = { warning: "warning", error: "error" };
const PAUSES = new Set(["shutdown", "disk_low", "disk_full"]);
const ENDS = {
  completed: ["good", () => t("The run completed.")],
  failed: ["error", () => t("The run failed.")],
  cancelled: ["cancelled", () => t("The run stopped.")],
  paused: ["paused", () => t("The run paused.")],
};

const noteEntry = ({ seq, time, timestamp, epoch, level, message, code }) =>
  ({ key: `note-${seq}`, seq, time: time || timestamp, epoch, kind: PAUSES.has(code) ? "paused" : LEVELS[level] || "note", text: message || code });

const adviceEntry = ({ seq, time, timestamp, epoch, message, code, hint }) =>
  ({ key: `advice-${seq}`, seq, time: time || timestamp, epoch, kind: "advice", text: message || code, hint });

const savedEntry = ({ epoch, is_best: best, created_at: time }) => ({
  key: `saved-${epoch}`, seq: 0, time, epoch, kind: best ? "checkpoint" : "note",
  text: best ? t("Checkpoint saved. Best epoch so far: {epoch}.", { epoch: number(epoch) }) : t("Checkpoint saved."),
});

const ENTRIES = { training_note: noteEntry, training_advice: adviceEntry };

export class EventsView {
  /** `told(advice)` gets the newest advice, null where there is none. */
  constructor(place, id, told) {
    Object.assign(this, { id, told });
    this.timeline = new Timeline(place);
    this.said = new Map(); // key → entry, of notes and advice
    this.saved = [];
    this.end = [];
  }

  /** Everything that was said so far, from a snapshot. */
  fill(notes, advice) {
    this.said = new Map([...notes.map(noteEntry), ...advice.map(adviceEntry)].map((entry) => [entry.key, entry]));
    this.show();
  }

  /** Where there is no snapshot: the notes that the training itself tells, without their time. */
  fillPlain(notes) {
    if (!this.said.size) this.fill(notes.map((note, index) => ({ ...note, seq: index - notes.length })), []);
  }

  /** A message to all holds no sentence: it is asked for in the reader's language. */
  async arrived(event, { seq }) {
    try {
      const { events } = await get(`/api/trainings/${this.id}/events`, { after: seq - 1, limit: 1 });
      for (const { event: name, time, payload } of events.filter((item) => item.event === event)) {
        const entry = ENTRIES[name]({ ...payload, time });
        this.said.set(entry.key, entry);
      }
      this.show();
    } catch { /* the next snapshot has it */ }
  }

  /** One entry an epoch: its best weights and the copy to go on from are two files. */
  checkpoints(rows) {
    const best = new Set(rows.filter((row) => row.is_best).map(({ epoch }) => epoch));
    const byEpoch = new Map(rows.map((row) => [row.epoch, { ...row, is_best: best.has(row.epoch) }]));
    this.saved = [...byEpoch.values()].map(savedEntry);
    this.show();
  }

  state(training) {
    const [kind, text] = learnedNothing(training) ? ["warning", () => t("Completed, but the model learned nothing.")] : ENDS[training.status] || [];
    const end = kind ? [{ key: "end", seq: Infinity, time: training.end_time, epoch: training.current_epoch, kind, text: text() }] : [];
    if (JSON.stringify(end) === JSON.stringify(this.end)) return;
    this.end = end;
    this.show();
  }

  show() {
    this.told([...this.said.values()].filter(({ kind }) => kind === "advice").at(-1) || null);
    this.timeline.set([...this.said.values(), ...this.saved, ...this.end]);
    setMarks([...this.said.values(), ...this.end].map(({ epoch, kind, text }) => ({ epoch, kind, text })));
  }
}
