/* What the server knows of a dataset's images: asked for once, the newest are kept. */
import { get } from "../lib/api.js";
import { withClass } from "./objects.js";

const CACHED_RECORDS = 40; // answers

export class ImageRecords {
  /** @param {any} current the dataset */
  constructor(current) {
    this.current = current;
    this.answers = new Map();
  }

  /** Undefined where it was not asked for yet. @param {number} id */
  cached(id) {
    return this.answers.get(id);
  }

  /** @param {number} id */
  async ask(id) {
    if (!this.answers.has(id)) {
      const record = await get(`${this.current.path}/images/${id}`);
      this.answers.set(id, withClass(record, this.current));
      if (this.answers.size > CACHED_RECORDS) this.answers.delete(this.answers.keys().next().value);
    }
    return this.answers.get(id);
  }

  /** Have an image there before it is shown; null: there is none. @param {number | null} id */
  async prepare(id) {
    if (id === null || this.answers.has(id)) return;
    const record = await this.ask(id).catch(() => null);
    if (record?.url) new Image().src = record.url;
  }
}
