/* The dataset that the page is about, and what was asked about its revision. */
import { Emitter } from "../lib/emitter.js";
import { get } from "../lib/api.js";

const BUSY = ["pending", "validating"];

/** Event `started` when a revision was asked for. */
export class Current extends Emitter {
  constructor(id) {
    super();
    this.id = id;
    this.path = `/api/datasets/${id}`;
    this.data = null;
    this.requests = new Map();
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
    if (!this.requests.has(key)) {
      const answer = get(`${this.path}/${part}`, query);
      this.requests.set(key, answer);
      answer.catch(() => this.requests.delete(key));
    }
    return this.requests.get(key);
  }

  /** Another revision: what was known of the former one is of no use. */
  forget() {
    this.requests.clear();
  }
}
