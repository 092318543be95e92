/* The page's one Socket.IO connection. Rooms join, catch up by a snapshot after each (re)connection, and pass on each
   committed event once: an event whose seq is not above the last one seen is dropped. In a training's room the numbers
   have no gaps: a number that is missing means that something was missed, and the room is joined again. */

const EVENTS = ["training_update", "training_progress", "training_status", "training_log", "training_completed",
  "training_error", "training_cancelled", "training_paused", "training_note", "training_advice", "training_system",
  "training_checkpoint", "training_queue", "training_deleted", "dataset_update", "system_update", "system_error"];
const OFFLINE_AFTER_MS = 15000;
const REJOIN_EVERY_MS = 2000;

/** A room of the server. Events: `snapshot` and the server's own, each with its payload as `detail`. */
class Room extends EventTarget {
  constructor(name, payload, { accepts, snapshotSeqs, gapless = false }) {
    super();
    Object.assign(this, { name, payload, accepts, snapshotSeqs, gapless });
    this.seqs = new Map();
    this.early = []; // events between joining and the snapshot
    this.ready = false;
    this.joined = 0;
  }

  on(name, handler) {
    this.addEventListener(name, (event) => handler(event.detail));
    return this;
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  join(socket) {
    this.ready = false;
    this.early = []; // what came before was committed before: the snapshot has it
    this.socket = socket;
    this.joined = performance.now();
    socket.timeout(10000).emit(`join_${this.name}`, this.payload, (timeout, answer) => {
      if (timeout) { if (socket.connected) this.join(socket); return; }
      if (answer.status === 429) { this.rejoin(); return; }
      if (!answer.ok) { this.tell("refused", answer); return; }
      this.seqs = new Map(this.snapshotSeqs(answer));
      this.ready = true;
      this.tell("snapshot", answer);
      const early = this.early;
      this.early = [];
      early.forEach(([name, data]) => this.receive(name, data));
    });
  }

  receive(name, data) {
    if (!this.accepts(name, data)) return;
    if (!this.ready) { this.early.push([name, data]); return; }
    if (data.seq === undefined || data.seq === null) { this.tell(name, data); return; }
    const last = this.seqs.get(data.training_id) ?? -1;
    if (data.seq <= last) return;
    if (this.gapless && data.seq > last + 1) { this.rejoin(); return; }
    this.seqs.set(data.training_id, data.seq);
    this.tell(name, data);
  }

  /** Catch up by a new snapshot, not more often than every two seconds. */
  rejoin() {
    this.ready = false;
    const wait = Math.max(0, this.joined + REJOIN_EVERY_MS - performance.now());
    setTimeout(() => { if (this.socket.connected) this.join(this.socket); }, wait); // else the reconnection joins
  }
}

/** The connection. Event `state` with detail live, reconnecting or offline; `returned` when it came back. */
class Live extends EventTarget {
  constructor() {
    super();
    this.state = "connecting";
    this.rooms = new Set();
    this.socket = window.io({ reconnectionDelay: 500, reconnectionDelayMax: 5000 });
    this.socket.on("connect", () => this.connected());
    this.socket.on("disconnect", (reason) => this.lost(reason));
    this.socket.on("connect_error", () => this.lost());
    window.addEventListener("offline", () => this.become("offline"));
    window.addEventListener("online", () => { this.become("reconnecting"); this.wait(); this.socket.connect(); });
    for (const name of EVENTS) this.socket.on(name, (data) => this.rooms.forEach((room) => room.receive(name, data)));
  }

  connected() {
    clearTimeout(this.timer);
    this.timer = null;
    const returned = this.state === "reconnecting" || this.state === "offline";
    this.become("live");
    this.rooms.forEach((room) => room.join(this.socket));
    if (returned) this.dispatchEvent(new CustomEvent("returned"));
  }

  lost(reason) {
    if (this.state === "live" || this.state === "connecting") this.become(navigator.onLine ? "reconnecting" : "offline");
    if (this.state === "reconnecting") this.wait();
    if (reason === "io server disconnect") this.socket.connect(); // the server closed it: no automatic return
  }

  /** Whoever has been reconnecting for long is offline; it goes on trying. */
  wait() {
    this.timer ??= setTimeout(() => { this.timer = null; this.become("offline"); }, OFFLINE_AFTER_MS);
  }

  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }

  enter(room) {
    this.rooms.add(room);
    if (this.socket.connected) room.join(this.socket);
    return room;
  }

  leave(room) {
    this.rooms.delete(room);
    if (this.socket.connected) this.socket.emit(`leave_${room.name}`, room.payload, () => {});
  }
}

export const live = new Live();

/** Everything about one training; `snapshot` = {training, metrics, log, ...}. `payload.metrics` = the version of those that the page has: they do
 *  not come again. */
export function trainingRoom(id) {
  return live.enter(new Room("training", { training_id: id, event: false }, { accepts: (_name, data) => data.training_id === id, snapshotSeqs: (answer) => [[id, answer.seq]], gapless: true }));
}

/** Coarse progress of all trainings and datasets; `snapshot` = {trainings, datasets}. */
export function dashboardRoom() {
  return live.enter(new Room("dashboard", {}, { accepts: (name) => name !== "training_log" && !name.startsWith("system_"), snapshotSeqs: (answer) => answer.trainings.map((item) => [item.id, item.seq]) }));
}

/** Figures of the machine every two seconds; `snapshot` = as GET /api/system has them. */
export function systemRoom() {
  return live.enter(new Room("system", {}, { accepts: (name) => name.startsWith("system_"), snapshotSeqs: () => [] }));
}
