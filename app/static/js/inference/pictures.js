/* The queue of images: each is sent to the server in turn, a failed one does not stop the others. */
import { Emitter } from "../lib/emitter.js";
import { upload } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { FLOOR, settings } from "./settings.js";

const EXTENSIONS = /\.(jpe?g|png|bmp|webp|tiff?)$/i;
const AT_ONCE = 2; // one is sent while the model processes another
let numbers = 0;

/** Events: `change` (an image, or null for the list), `stopped` (an error that stops the queue). */
export class Pictures extends Emitter {
  /** `sides()` returns the pickers of the models for each image, by side. */
  constructor(sides) {
    super();
    this.sides = sides;
    this.items = [];
    this.working = new Set();
    this.began = null;
    this.done = 0;
    this.sent = new Map();
  }

  add(files) {
    const items = files.map((file) => ({
      id: ++numbers,
      file,
      name: file.name,
      url: null,
      state: "waiting",
      answers: {},
      error: null,
    }));
    for (const item of items)
      if (!EXTENSIONS.test(item.name))
        Object.assign(item, {
          state: "failed",
          error: t("This is not an image. Choose JPEG, PNG, BMP, WebP or TIFF."),
        });
    this.items.push(...items);
    this.changed();
    this.go();
    return items;
  }

  /** A test from the history; it has no file of its own. */
  addAnswered(item) {
    const existing = this.items.find(({ test }) => test && test === item.test);
    if (existing) return existing;
    const answered = { id: ++numbers, file: null, state: "done", error: null, ...item };
    this.items.push(answered);
    this.changed();
    return answered;
  }

  changed(item = null) {
    this.emit("change", item);
  }

  clear() {
    this.stop();
    for (const item of this.items) if (item.url?.startsWith("blob:")) URL.revokeObjectURL(item.url);
    this.items = [];
    this.changed();
  }

  address(item) {
    item.url ??= URL.createObjectURL(item.file);
    return item.url;
  }

  /** Whether its answer is of another model or IoU than the selected ones. */
  stale(item) {
    return (
      item.file &&
      item.state === "done" &&
      Object.entries(this.sides()).some(([side, picker]) => item.answers[side]?.key !== keyFor(picker))
    );
  }

  /** Send one image before the others, if its answers are not of the selected models. */
  askAbout(item) {
    if (this.stale(item)) item.state = "waiting";
    if (item.state === "waiting") this.first = item;
    this.changed(item);
    this.go();
  }

  /** Send those that are stale again. */
  again() {
    for (const item of this.items) if (this.stale(item)) item.state = "waiting";
    this.changed();
    this.go();
  }

  get waiting() {
    return this.items.filter(({ state }) => state === "waiting").length;
  }

  get busy() {
    return this.working.size > 0;
  }

  /** Leave the remaining images pending. */
  stop() {
    this.stopping = true;
    for (const request of this.sent.values()) request.abort();
  }

  go() {
    if (!Object.values(this.sides()).every(({ ready }) => ready)) return; // it is called again when a model is chosen
    this.stopping = false;
    if (!this.busy) {
      this.began = performance.now();
      this.done = 0;
    }
    while (this.working.size < AT_ONCE && this.waiting > 0) this.work();
  }

  async work() {
    const item = this.first?.state === "waiting" ? this.first : this.items.find(({ state }) => state === "waiting");
    this.first = null;
    item.state = "sending";
    this.working.add(item);
    this.changed(item);
    try {
      for (const [side, picker] of Object.entries(this.sides())) await this.ask(item, side, picker);
      item.state = "done";
    } catch (error) {
      this.failed(item, error);
    }
    this.working.delete(item);
    this.done += 1;
    this.changed(item);
    if (!this.stopping && this.waiting) this.go();
  }

  /** A problem of one image is shown at the image; a problem of the server stops the queue. */
  failed(item, error) {
    if (this.stopping) {
      item.state = "waiting";
      return;
    }
    if (!error.title) console.error(error);
    const refused = [400, 413, 415, 422].includes(error.status);
    Object.assign(item, {
      state: refused ? "failed" : "waiting",
      error: refused ? error.errors?.[0]?.message || error.detail || error.title : null,
    });
    if (refused) return;
    this.stopping = true;
    this.emit("stopped", error);
  }

  /** Send one image to one model, unless it already has this answer. */
  async ask(item, side, picker) {
    const key = keyFor(picker);
    if (item.answers[side]?.key === key) return;
    const { training_id: training, checkpoint } = picker.selection;
    const model = picker.name;
    const body = new FormData();
    const { iou } = settings;
    for (const [name, value] of Object.entries({
      training_id: training,
      confidence: Math.max(FLOOR, settings.confidence),
      iou,
    }))
      body.append(name, value);
    body.append("file", item.file, item.name);
    const request = upload(
      `/api/tests?${new URLSearchParams({ floor: String(FLOOR), ...(checkpoint && { checkpoint }) })}`,
      body,
      ({ sent, total }) => {
        item.sent = sent / total;
      },
    );
    this.sent.set(item, request);
    try {
      const answer = await request.done;
      item.answers[side] = fromServer(answer, { key, model, iou });
    } finally {
      this.sent.delete(item);
    }
  }
}

const keyFor = (picker) => `${picker.modelKey}:${settings.iou}`;

/** The stored part of a server's response; all detections in one list, the most confident first. */
export function fromServer(answer, more) {
  const { width, height } = answer;
  return {
    ...more,
    test_id: answer.test_id,
    image_url: answer.image_url,
    task: answer.task,
    time: answer.inference_time,
    total: answer.total_time,
    size: width ? { width, height } : null,
    detections: [...answer.detections, ...(answer.weaker || [])],
  };
}
