/* The dataset that the page is about, and what was asked about its revision. */
import { get } from "../api.js";

const BUSY = ["pending", "validating"];

/** Event `change` after each load; `progress` while a child works on it, with {stage, done, total, revision}. */
export class Current extends EventTarget {
  constructor(id) {
    super();
    Object.assign(this, { id, path: `/api/datasets/${id}`, data: null, asked: new Map() });
  }

  async load() {
    this.data = await get(this.path);
    this.dispatchEvent(new CustomEvent("change"));
    return this.data;
  }

  /** Whether there is nothing to look at yet. */
  get busy() {
    return !this.data || BUSY.includes(this.data.status);
  }

  /** Whether there is a revision with images, objects and findings. */
  get ready() {
    return Boolean(this.data?.revision);
  }

  get classes() {
    return this.data?.classes || [];
  }

  /** A part of the present revision, asked for once: "statistics", say. A failure is asked again. */
  once(part, query) {
    const key = `${this.data?.revision}:${part}:${new URLSearchParams(query)}`;
    if (!this.asked.has(key)) {
      const answer = get(`${this.path}/${part}`, query);
      this.asked.set(key, answer);
      answer.catch(() => this.asked.delete(key));
    }
    return this.asked.get(key);
  }

  /** Another revision: what was known of the former one is of no use. */
  forget() {
    this.asked.clear();
  }
}
