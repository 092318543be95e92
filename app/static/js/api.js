/* The REST API. A failure becomes an ApiError with the fields of problem+json. */
import { locale, t } from "./i18n.js";

export class ApiError extends Error {
  constructor({ status = 0, title, detail, errors = [] }) {
    super(detail || title);
    Object.assign(this, { status, title, detail, errors });
  }
}

const unreachable = () => new ApiError({ title: t("The server doesn't respond"), detail: t("Check that the server is running and that you are online, then try again.") });

/** The error of an answer whose body is a text. */
export function problem(status, text) {
  try { return failed(status, JSON.parse(text)); } catch { return failed(status, null); }
}

function failed(status, body) {
  const known = body && typeof body === "object" ? body : {};
  return new ApiError({
    status,
    title: known.title || t("The server returned error {status}", { status }),
    detail: known.detail || "",
    errors: known.errors || [],
  });
}

async function call(method, path, { query, body, key } = {}) {
  const filled = Object.entries(query || {}).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const address = filled.length ? `${path}?${new URLSearchParams(filled)}` : path;
  const options = { method, headers: { Accept: "application/json", "Accept-Language": locale } };
  if (key) options.headers["Idempotency-Key"] = key;
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  try { response = await sent(address, options, Boolean(key)); } catch { throw unreachable(); }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw failed(response.status, answer);
  return answer;
}

/** A request with a key is done once however often it is sent: try once more when the connection breaks. */
async function sent(address, options, again) {
  try { return await fetch(address, options); } catch (error) {
    if (!again) throw error;
    await new Promise((done) => { setTimeout(done, 800); });
    return fetch(address, options);
  }
}

/** A new Idempotency-Key. */
export const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const get = (path, query) => call("GET", path, { query });
export const post = (path, body, key) => call("POST", path, { body, key });
export const put = (path, body) => call("PUT", path, { body });
export const patch = (path, body) => call("PATCH", path, { body });
export const remove = (path, query) => call("DELETE", path, { query });

/** POST a form with progress: `progress({sent, total, rate, left})`, in bytes and seconds. `kind` of the answer: json, or blob for a file.
    Returns {done, abort, header}. */
export function upload(path, form, progress, kind = "json") {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    const rate = rateMeter();
    request.upload.addEventListener("progress", ({ loaded, total }) => progress({ sent: loaded, total, ...rate(loaded, total) }));
    request.addEventListener("load", async () => {
      if (request.status < 400) { resolve(request.response); return; }
      const told = kind === "blob" ? await request.response.text().then(JSON.parse).catch(() => null) : request.response;
      reject(failed(request.status, told));
    });
    request.addEventListener("error", () => reject(unreachable()));
    request.addEventListener("abort", () => reject(new ApiError({ title: t("Upload canceled"), detail: t("Nothing was stored on the server.") })));
    request.open("POST", path);
    request.responseType = kind;
    request.setRequestHeader("Accept", kind === "blob" ? "*/*" : "application/json");
    request.setRequestHeader("Accept-Language", locale);
    request.send(form);
  });
  return { done, abort: () => request.abort(), header: (name) => request.getResponseHeader(name) };
}

/** The rate over the last three seconds, so that it neither jumps nor lags. */
export function rateMeter() {
  const marks = [];
  return (sent, total) => {
    const now = performance.now();
    marks.push([now, sent]);
    while (marks.length > 2 && now - marks[0][0] > 3000) marks.shift();
    const [time, bytes] = marks[0];
    const rate = now - time < 100 ? null : ((sent - bytes) / (now - time)) * 1000;
    return { rate, left: rate ? (total - sent) / rate : null };
  };
}
