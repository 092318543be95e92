/* The records of a dataset's images: requested once, the latest are cached. */
import { get } from "../lib/api.js";
import { withClass } from "./objects.js";

const CACHED_RECORDS = 40; // responses

export class ImageRecords {
  /** @param {any} current the dataset */
  constructor(current) {
    this.current = current;
    this.answers = new Map();
  }

  /** Undefined if it was not loaded yet. @param {number} id */
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

  /** Preload an image before it is shown; null: there is none. @param {number | null} id */
  async prepare(id) {
    if (id === null || this.answers.has(id)) return;
    const record = await this.ask(id).catch(() => null);
    if (record?.url) new Image().src = record.url;
  }
}
