/* The page's single Socket.IO connection. Rooms join, catch up by a snapshot after each (re)connection, and pass on
   each committed event once: an event whose seq is not above the last one is dropped. In a training's room the numbers
   have no gaps: after a missing number the room is joined again. */
import { get } from "./api.js";
import { Emitter } from "./emitter.js";

/** @typedef {import("socket.io-client").Socket} Socket */
/** A response to join_…: the snapshot, or why there is none.
 *  @typedef {Record<string, any> & {ok: boolean, status?: number}} Answer */
/** What the server sends to a room.
 *  @typedef {Record<string, any> & {training_id?: number, seq?: number | null}} Message */
/**
 * @typedef RoomRules
 * @property {(name: string, data: Message) => boolean} accepts whether a message is for this room
 * @property {(answer: Answer) => [number, number][]} snapshotSeqs the number of the last event in a snapshot, by
 * training
 * @property {boolean} [gapless] a number that is missing means that something was missed
 */

const EVENTS = [
  "training_update",
  "training_progress",
  "training_status",
  "training_log",
  "training_completed",
  "training_error",
  "training_cancelled",
  "training_paused",
  "training_note",
  "training_advice",
  "training_system",
  "training_checkpoint",
  "training_queue",
  "training_deleted",
  "dataset_update",
  "system_update",
  "system_error",
];
const OFFLINE_AFTER_MS = 15000;
const REJOIN_EVERY_MS = 2000;

/** A room of the server. Events: `snapshot` and the server's own, each with its payload as `detail`. */
class Room extends Emitter {
  /** @param {string} name @param {Record<string, any>} payload @param {RoomRules} rules */
  constructor(name, payload, { accepts, snapshotSeqs, gapless = false }) {
    super();
    this.name = name;
    this.payload = payload;
    this.accepts = accepts;
    this.snapshotSeqs = snapshotSeqs;
    this.gapless = gapless;
    /** @type {Map<number | undefined, number>} */
    this.seqs = new Map();
    /** @type {[string, Message][]} */
    this.early = []; // events between joining and the snapshot
    this.ready = false;
    this.joined = 0;
  }

  /** @param {Socket} socket */
  join(socket) {
    this.ready = false;
    this.early = []; // earlier events were committed before the snapshot, which includes them
    this.socket = socket;
    const joined = (this.joined = performance.now());
    socket
      .timeout(10000)
      .emit(`join_${this.name}`, this.payload, (/** @type {Error | null} */ timeout, /** @type {Answer} */ answer) => {
        if (this.socket !== socket || this.joined !== joined) return; // left, or joined again, in the meantime
        if (timeout) {
          if (socket.connected) this.join(socket);
          return;
        }
        // Too many messages at once; a busy database. Without a retry the page would stay as it is.
        if (answer.status === 429 || answer.status === 503) this.rejoin();
        if (!answer.ok) {
          if (answer.status !== 429) this.emit("refused", answer);
          return;
        }
        this.seqs = new Map(this.snapshotSeqs(answer));
        this.ready = true;
        this.emit("snapshot", answer);
        const early = this.early;
        this.early = [];
        early.forEach(([name, data]) => this.receive(name, data));
      });
  }

  /** @param {string} name @param {Message} data */
  receive(name, data) {
    if (!this.accepts(name, data)) return;
    if (!this.ready) {
      this.early.push([name, data]);
      return;
    }
    if (data.seq === undefined || data.seq === null) {
      this.emit(name, data);
      return;
    }
    const last = this.seqs.get(data.training_id) ?? -1;
    if (data.seq <= last) return;
    if (this.gapless && data.seq > last + 1) {
      this.rejoin();
      return;
    }
    this.seqs.set(data.training_id, data.seq);
    this.emit(name, data);
  }

  /** Catch up by a new snapshot, not more often than every two seconds. */
  rejoin() {
    this.ready = false;
    const wait = Math.max(0, this.joined + REJOIN_EVERY_MS - performance.now());
    setTimeout(() => {
      if (this.socket?.connected) this.join(this.socket);
    }, wait); // otherwise the reconnection joins
  }

  /** @param {Socket} socket */
  leave(socket) {
    this.socket = undefined;
    if (socket.connected) socket.emit(`leave_${this.name}`, this.payload, () => {});
  }
}

/** The connection. Event `state` with detail live, reconnecting or offline; `returned` when it is restored. */
class Live extends Emitter {
  constructor() {
    super();
    this.state = "connecting";
    /** @type {Set<Room>} */
    this.rooms = new Set();
    /** @type {ReturnType<typeof setTimeout> | null} */
    this.timer = null;
    this.socket = window.io({ reconnectionDelay: 500, reconnectionDelayMax: 5000 });
    this.socket.on("connect", () => this.connected());
    this.socket.on("disconnect", (reason) => this.lost(reason));
    this.socket.on("connect_error", () => this.lost());
    window.addEventListener("offline", () => this.become("offline"));
    window.addEventListener("online", () => {
      this.become("reconnecting");
      this.wait();
      this.socket.connect();
    });
    for (const name of EVENTS) this.socket.on(name, (data) => this.rooms.forEach((room) => room.receive(name, data)));
  }

  connected() {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const returned = this.state === "reconnecting" || this.state === "offline";
    this.become("live");
    this.rooms.forEach((room) => room.join(this.socket));
    if (returned) this.emit("returned");
  }

  /** @param {string} [reason] */
  lost(reason) {
    if (this.state === "live" || this.state === "connecting")
      this.become(navigator.onLine ? "reconnecting" : "offline");
    if (this.state === "reconnecting") this.wait();
    if (reason !== "io server disconnect") return;
    get("/api/me").catch(() => null); // perhaps the session has ended: this request then leads to the login page
    this.socket.connect(); // closed by the server: the client does not reconnect automatically
  }

  /** After a long time of reconnecting the state is offline; attempts continue. */
  wait() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.become("offline");
    }, OFFLINE_AFTER_MS);
  }

  /** @param {string} state */
  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.emit("state", state);
  }

  /** @param {Room} room */
  enter(room) {
    this.rooms.add(room);
    if (this.socket.connected) room.join(this.socket);
    return room;
  }

  /** @param {Room} room */
  leave(room) {
    this.rooms.delete(room);
    room.leave(this.socket);
  }
}

export const live = new Live();

/** All events of one training; `snapshot` = {training, metrics, log, ...}. `payload.metrics` = the version of the
 * page's metrics, which are then not sent again.
 *  @param {number} id */
export function trainingRoom(id) {
  return live.enter(
    new Room(
      "training",
      { training_id: id, event: false },
      {
        accepts: (_name, data) => data.training_id === id,
        snapshotSeqs: (answer) => [[id, answer.seq]],
        gapless: true,
      },
    ),
  );
}

/** Coarse progress of all trainings and datasets; `snapshot` = {trainings, datasets}. */
export function dashboardRoom() {
  return live.enter(
    new Room(
      "dashboard",
      {},
      {
        accepts: (name) => name !== "training_log" && !name.startsWith("system_"),
        snapshotSeqs: (answer) =>
          answer.trainings.map((/** @type {{id: number, seq: number}} */ item) => [item.id, item.seq]),
      },
    ),
  );
}

/** Figures of the machine every two seconds; `snapshot` = as GET /api/system. */
export function systemRoom() {
  return live.enter(new Room("system", {}, { accepts: (name) => name.startsWith("system_"), snapshotSeqs: () => [] }));
}
