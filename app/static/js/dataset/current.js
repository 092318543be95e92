/* The dataset that the page is about, and what was asked about its revision. */
import { get } from "../api.js";

const BUSY = ["pending", "validating"];

/** Event `started` when a revision was asked for. */
export class Current extends EventTarget {
  constructor(id) {
    super();
    Object.assign(this, { id, path: `/api/datasets/${id}`, data: null, asked: new Map() });
  }

  /** Ask for it; of several questions at once the answer to the last one stays. */
  async load() {
    this.turn = (this.turn || 0) + 1;
    const { turn } = this;
    const data = await get(this.path);
    if (turn === this.turn) this.data = data;
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
