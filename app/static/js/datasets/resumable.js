/* One file by tus 1.0 (window.tus): in chunks, resumed after an interrupted connection, a closed laptop or a reloaded
   page. */
import { ApiError, get, problem, rateMeter } from "../lib/api.js";
import { locale } from "../lib/i18n.js";

const tus = window.tus;
const ENDPOINT = `${window.location.origin}/api/uploads`;
const CHUNK = 64 * 1024 ** 2; // each ends with a sync of the server's disk, so not too small
const DELAYS = [500, 1000, 2000, 4000];
const AGAIN_MS = 5000;
const SILENT_MS = 60000; // after a sleep or a change of network, the old connection is not closed
const ASK_MS = 700;
const MOST_METADATA = 60000; // gunicorn.conf.py accepts headers of 64 KB
const HEADERS = { "Accept-Language": locale };

const wait = (time) =>
  new Promise((resolve) => {
    setTimeout(resolve, time);
  });
const idOf = (url) => url.split("/").pop();

/** Identifies a file when it is chosen again, separately for each purpose. */
export const fingerprint = (file, purpose = "dataset") => [purpose, file.name, file.size, file.lastModified].join("-");

/** Whether these fields fit the header that carries them. */
export const fits = (metadata) =>
  Boolean(tus?.isSupported) && new Blob(Object.values(metadata)).size * 1.4 + 200 < MOST_METADATA;

/** Uploads of one purpose that this browser started and whose end it has not received: {entry, fingerprint, ...the
 *  server's data}. */
export async function unfinished(purpose = "dataset") {
  if (!tus?.isSupported) return [];
  const entries = (await tus.defaultOptions.urlStorage.findAllUploads()).filter(
    (entry) => entry.uploadUrl?.startsWith(ENDPOINT) && entry.urlStorageKey.startsWith(`tus::${purpose}-`),
  );
  const alive = await Promise.all(
    entries.map(async (entry) => {
      const print = entry.urlStorageKey.split("::")[1];
      try {
        return { entry, fingerprint: print, ...(await get(`/api/uploads/${idOf(entry.uploadUrl)}`)) };
      } catch (error) {
        if (error.status) forget(entry);
        return null;
      }
    }),
  );
  return alive.filter(Boolean);
}

const forget = (entry) => tus.defaultOptions.urlStorage.removeUpload(entry.urlStorageKey);

/** Remove an upload that is not being sent from the server. */
export async function terminate(entry) {
  await forget(entry);
  await tus.Upload.terminate(entry.uploadUrl, { headers: HEADERS }).catch(() => {}); // it expires anyway
}

/** Remove any upload from the server, by its ID. */
export const erase = (id) => tus.Upload.terminate(`${ENDPOINT}/${id}`, { headers: HEADERS });

/** Retries while the server is unavailable: tus-js-client itself would start a new upload, from zero. */
function refuseAway(request, response) {
  if (request.getMethod() === "HEAD" && response.getStatus() >= 500) throw new Error("away");
}

/** Whether the server refused it; a wrong offset (409) and a lock (423) are temporary. */
function refused(error) {
  const status = error.originalResponse?.getStatus() || 0;
  return status >= 400 && status < 500 && ![409, 423].includes(status);
}

export class Transfer {
  /** @param {File} file
   *  @param {object} metadata
   *  @param {{progress?: (state: any) => void, interrupted?: (error?: any) => void}} calls progress: with
   *  {sent, total, rate, left}; interrupted: the connection is lost for a while
   *  @param {string} [purpose] what the file is for: a part of its fingerprint */
  constructor(file, metadata, { progress, interrupted } = {}, purpose = undefined) {
    this.progress = progress;
    this.interrupted = interrupted;
    this.running = false;
    this.waiting = false;
    this.runs = 0;
    this.cut = () => {
      this.upload.abort();
      this.goOnLater();
    };
    this.upload = new tus.Upload(file, {
      endpoint: ENDPOINT,
      chunkSize: CHUNK,
      retryDelays: DELAYS,
      metadata,
      headers: HEADERS,
      fingerprint: async () => fingerprint(file, purpose),
      onProgress: (sent, total) => {
        this.heard = performance.now();
        this.progress({ sent, total, ...this.rate(sent, total) });
      },
      onAfterResponse: refuseAway,
      onShouldRetry: (error) => this.retried(error),
      onError: (error) => this.broken(error),
      onSuccess: () => this.end(() => this.resolve(true)),
    });
  }

  /** Resume an entry of `unfinished`. */
  from(entry) {
    this.upload.resumeFromPreviousUpload(entry);
  }

  get id() {
    return idOf(this.upload.url);
  }

  /** Resolves to true when every byte has arrived, to false when it was paused. */
  run() {
    this.running = true;
    this.waiting = false;
    this.runs = this.runs + 1;
    window.addEventListener("offline", this.cut);
    this.watch = setInterval(() => {
      if (performance.now() - this.heard > SILENT_MS) this.cut();
    }, AGAIN_MS);
    this.start();
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  start() {
    this.heard = performance.now();
    this.rate = rateMeter();
    this.upload.start();
  }

  end(notify) {
    this.running = false;
    window.removeEventListener("offline", this.cut);
    clearInterval(this.watch);
    notify();
  }

  /** Called by tus-js-client before a retry, which follows its own rule; shows the interruption immediately. */
  retried(error) {
    const again = !refused(error) && navigator.onLine;
    if (again) this.interrupted();
    return again;
  }

  /** A refusal is final; a lost connection is not. */
  broken(error) {
    const status = error.originalResponse?.getStatus() || 0;
    if (refused(error)) {
      const reason = problem(status, error.originalResponse.getBody());
      reason.wait = Number(error.originalResponse.getHeader("Retry-After")) || 0;
      this.end(() => this.reject(reason));
    } else this.goOnLater();
  }

  async goOnLater() {
    if (!this.running || this.waiting) return;
    const { runs } = this;
    this.waiting = true;
    this.interrupted();
    await Promise.race([
      wait(AGAIN_MS),
      new Promise((online) => {
        window.addEventListener("online", online, { once: true });
      }),
    ]);
    if (runs !== this.runs) return; // paused and resumed meanwhile
    this.waiting = false;
    if (this.running) this.start();
  }

  pause() {
    if (!this.running) return;
    this.upload.abort();
    this.end(() => this.resolve(false));
  }

  async cancel() {
    const { url } = this.upload;
    this.pause();
    await this.upload.abort(Boolean(url)).catch(() => {});
    this.forget();
  }

  /** It has ended here: the same file is a new upload from now on. */
  async forget() {
    const uploads = (await tus.defaultOptions.urlStorage.findAllUploads()).filter(
      (entry) => entry.uploadUrl === this.upload.url,
    );
    uploads.forEach(forget);
  }
}

/** The dataset or the prediction created from a complete upload. Rejects with the server's error; `again` retries. */
export async function created(id) {
  for (;;) {
    const answer = await patiently(() => get(`/api/uploads/${id}`));
    if (answer.state === "done") return answer.prediction_id ?? answer.dataset_id;
    if (answer.state === "failed")
      throw Object.assign(new ApiError(answer.problem), { again: answer.retriable ? () => again(answer) : null });
    await wait(ASK_MS);
  }
}

async function patiently(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (error.status) throw error;
      await wait(AGAIN_MS);
    }
  }
}

/** An empty chunk after the last byte: the dataset is created again from the uploaded bytes. */
const again = ({ id, length }) =>
  fetch(`${ENDPOINT}/${id}`, {
    method: "PATCH",
    headers: {
      ...HEADERS,
      "Tus-Resumable": "1.0.0",
      "Upload-Offset": String(length),
      "Content-Type": "application/offset+octet-stream",
    },
    body: "",
  });
