/* Figures of the machine: the first ones by request, the others from the system's room, while the page is visible. A
   silent room is joined again; without a socket (blocked by a proxy, for example) the figures are requested. */
import { get } from "../lib/api.js";
import { live, systemRoom } from "../lib/socket.js";

const SILENT_AFTER_MS = 5000; // they come every two seconds
const SAME_MS = 1000; // the server measures once a second

/** `show(figures)` as in GET /api/system, `fail(error)` if the request fails, `off()` if they are disabled. */
export class SystemFeed {
  constructor({ show, fail, off }) {
    this.show = show;
    this.fail = fail;
    this.off = off;
    this.drawnAt = -Infinity;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.rest();
      else this.wake();
    });
  }

  async start() {
    await this.ask();
    if (!this.stopped && !document.hidden) this.wake();
  }

  /** Request them by REST now. */
  async ask() {
    try {
      this.took(await get("/api/system"));
    } catch (error) {
      this.failed(error);
    }
  }

  wake() {
    if (this.stopped) return;
    this.listen();
    if (!this.room) this.enter();
    else if (live.state === "live") live.enter(this.room);
    else {
      live.rooms.add(this.room);
      this.ask();
    } // joined when the connection is restored
  }

  enter() {
    this.room = systemRoom()
      .on("snapshot", (figures) => {
        if (performance.now() - this.drawnAt > SAME_MS) this.took(figures);
      })
      .on("system_update", (figures) => this.took(figures))
      .on("system_error", (error) => this.failed(error))
      .on("refused", (error) => this.failed(error));
  }

  rest() {
    clearTimeout(this.timer);
    if (this.room) live.leave(this.room);
  }

  took(figures) {
    this.drawnAt = performance.now();
    this.show(figures);
    this.listen();
  }

  failed(error) {
    if (error.status === 404) {
      this.stopped = true;
      this.rest();
      this.off();
      return;
    }
    this.fail(error.error ? { ...error, detail: error.error } : error);
    this.listen();
  }

  listen() {
    clearTimeout(this.timer);
    if (!this.stopped && !document.hidden) this.timer = setTimeout(() => this.wake(), SILENT_AFTER_MS);
  }
}
