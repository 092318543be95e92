/* The page's dataset, and the loaded parts of its revision. */
import { Emitter } from "../lib/emitter.js";
import { get } from "../lib/api.js";

const BUSY = ["pending", "validating"];

/** Event `started` when a revision was requested. */
export class Current extends Emitter {
  constructor(id) {
    super();
    this.id = id;
    this.path = `/api/datasets/${id}`;
    this.data = null;
    this.requests = new Map();
  }

  /** Load it; of several concurrent requests the last one's response is used. */
  async load() {
    this.turn = (this.turn || 0) + 1;
    const { turn } = this;
    const data = await get(this.path);
    if (turn === this.turn) this.data = data;
  }

  /** Whether there is nothing to show yet. */
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

  /** A part of the present revision, requested once: "statistics", for example. After a failure it is requested
   *  again. */
  once(part, query) {
    const key = `${this.data?.revision}:${part}:${new URLSearchParams(query)}`;
    if (!this.requests.has(key)) {
      const answer = get(`${this.path}/${part}`, query);
      this.requests.set(key, answer);
      answer.catch(() => this.requests.delete(key));
    }
    return this.requests.get(key);
  }

  /** There is another revision: discard what was loaded of the former one. */
  forget() {
    this.requests.clear();
  }
}
