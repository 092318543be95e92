/* The trainings that are pending, running or paused, kept up to date from the dashboard room, for every page. */
import { Emitter } from "../lib/emitter.js";
import { get } from "../lib/api.js";
import { dashboardRoom } from "../lib/socket.js";

export const room = dashboardRoom();

const ACTIVE = ["pending", "running", "paused"];

/** id → TrainingOut of trainings that have not ended. Event `change` with detail {id, training|null}. */
class Active extends Emitter {
  trainings = new Map();
  loaded = false;

  set(id, training) {
    const active = training && !training.deleted_at && ACTIVE.includes(training.status);
    if (active) this.trainings.set(id, training);
    else this.trainings.delete(id);
    this.emit("change", { id, training: active ? training : null });
  }

  /** Update several at once, with the server's data. */
  update(trainings) {
    trainings.forEach((training) => this.set(training.id, training));
  }

  /** Update the positions in the queue of the known ones: {training_id, priority, position, ahead}. */
  reorder(queue) {
    for (const { training_id: id, priority, position, ahead } of queue) {
      const previous = this.trainings.get(id);
      if (!previous) continue;
      const reason = ahead === null ? {} : { waiting_for: { code: "turn", ahead } };
      this.trainings.set(id, { ...previous, priority, position, ...reason });
    }
    this.emit("change", {});
  }

  /** Change a known training; one that is not known yet is fetched. */
  async patch(id, change) {
    const previous = this.trainings.get(id);
    if (previous) {
      this.set(id, { ...previous, ...change });
      return;
    }
    await this.ask(id);
  }

  async ask(id) {
    try {
      this.set(id, await get(`/api/trainings/${id}`));
    } catch {
      /* deleted meanwhile */
    }
  }

  get running() {
    return [...this.trainings.values()].filter((item) => item.status === "running");
  }

  get paused() {
    return [...this.trainings.values()].filter((item) => item.status === "paused").sort((a, b) => a.id - b.id);
  }

  /** The queue in its order. */
  get pending() {
    return [...this.trainings.values()]
      .filter((item) => item.status === "pending")
      .sort((a, b) => b.priority - a.priority || a.position - b.position || a.id - b.id);
  }
}

export const active = new Active();

/** Without a socket (blocked by a proxy, for example) they are requested once. */
setTimeout(async () => {
  if (active.loaded) return;
  const pages = await Promise.all(ACTIVE.map((status) => get("/api/trainings", { status, per_page: 50 }))).catch(
    () => [],
  );
  if (!active.loaded) load(pages.flatMap((page) => page.trainings));
}, 2500);

function load(trainings) {
  active.trainings = new Map(trainings.map((item) => [item.id, item]));
  active.loaded = true;
  active.emit("change", {});
}

room.on("snapshot", ({ trainings }) => load(trainings));
room.on("training_deleted", ({ training_id: id }) => active.set(id, null));
room.on("training_queue", ({ queue }) => active.reorder(queue));
room.on("training_paused", ({ training_id: id }) => active.ask(id));
room.on("training_status", ({ training }) => active.set(training.id, training));
room.on("training_update", ({ training_id: id, epoch, status, progress, eta }) =>
  active.patch(id, { current_epoch: epoch, status, progress, eta }),
);
room.on("training_progress", ({ training_id: id, status, progress, eta, current_epoch: epoch, total_epochs: total }) =>
  active.patch(id, {
    status,
    progress,
    eta,
    ...(epoch !== undefined && { current_epoch: epoch }),
    ...(total && { total_epochs: total }),
  }),
);
room.on("training_completed", ({ training_id: id }) => active.set(id, null));
room.on("training_error", ({ training_id: id }) => active.set(id, null));
room.on("training_cancelled", ({ training_id: id }) => active.set(id, null));
