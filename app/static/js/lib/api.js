/* The REST API. A failure becomes an ApiError with the fields of problem+json. */
import { locale, t } from "./i18n.js";

export class ApiError extends Error {
  /** @param {{status?: number, title?: string, detail?: string, errors?: {field?: string, message: string}[],
   *  members?: Record<string, any>, wait?: number}} problem wait: Retry-After, in seconds */
  constructor({ status = 0, title, detail, errors = [], members = {}, wait = 0 }) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.members = members; // the remaining fields, see RFC 9457
    this.wait = wait;
  }
}

const unreachable = () =>
  new ApiError({
    title: t("The server doesn't respond"),
    detail: t("Check that the server is running and that you are online, then try again."),
  });

/** The error of a response whose body is a text. @param {number} status @param {string} text */
export function problem(status, text) {
  try {
    return failed(status, JSON.parse(text));
  } catch {
    return failed(status, null);
  }
}

/** @param {number} status @param {any} body a problem+json, or anything else
 *  @param {string | null} [wait] Retry-After */
function failed(status, body, wait) {
  const fields = body && typeof body === "object" ? body : {};
  return new ApiError({
    status,
    title: fields.title || t("The server returned error {status}", { status }),
    detail: fields.detail || "",
    errors: fields.errors || [],
    members: fields,
    wait: Number(wait) || 0,
  });
}

/** @param {string} method @param {string} path @param {{query?: object, body?: any, key?: string}} options */
async function call(method, path, { query, body, key } = {}) {
  const filled = Object.entries(query || {}).filter(
    ([, value]) => value !== "" && value !== null && value !== undefined,
  );
  const address = filled.length ? `${path}?${new URLSearchParams(filled)}` : path;
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", "Accept-Language": locale };
  /** @type {RequestInit} */
  const options = { method, headers };
  if (key) headers["Idempotency-Key"] = key;
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await send(address, options, Boolean(key));
  } catch {
    throw unreachable();
  }
  const answer = await response.json().catch(() => null);
  if (response.status === 401) logIn();
  if (!response.ok) throw failed(response.status, answer, response.headers.get("Retry-After"));
  return answer;
}

/** The session has ended: log in, and return to this page. */
function logIn() {
  const { pathname, search } = window.location;
  if (pathname !== "/login") window.location.assign(`/login?next=${encodeURIComponent(pathname + search)}`);
}

/** A request with a key is executed once however often it is sent: retry once when the connection breaks.
 *  @param {string} address @param {RequestInit} options @param {boolean} again */
async function send(address, options, again) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (!again) throw error;
    await new Promise((resolve) => {
      setTimeout(resolve, 800);
    });
    return fetch(address, options);
  }
}

/** A new Idempotency-Key. */
export const newKey = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {string} path @param {object} [query] */
export const get = (path, query) => call("GET", path, { query });
/** @param {string} path @param {any} [body] @param {string} [key] of what is to be done once */
export const post = (path, body, key) => call("POST", path, { body, key });
/** @param {string} path @param {any} body */
export const put = (path, body) => call("PUT", path, { body });
/** @param {string} path @param {any} body */
export const patch = (path, body) => call("PATCH", path, { body });
/** @param {string} path @param {object} [query] */
export const remove = (path, query) => call("DELETE", path, { query });

/** POST a form with progress: `progress({sent, total, rate, left})`, in bytes and seconds. `kind` of the answer: json,
    or blob for a file. Returns {done, abort, header}. */
/** @param {string} path @param {FormData} form @param {(state: any) => void} progress
 *  @param {XMLHttpRequestResponseType} kind */
export function upload(path, form, progress, kind = "json") {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve, reject) => {
    const rate = rateMeter();
    request.upload.addEventListener("progress", ({ loaded, total }) =>
      progress({ sent: loaded, total, ...rate(loaded, total) }),
    );
    request.addEventListener("load", async () => {
      if (request.status < 400) {
        resolve(request.response);
        return;
      }
      const body =
        kind === "blob"
          ? await request.response
              .text()
              .then(JSON.parse)
              .catch(() => null)
          : request.response;
      reject(failed(request.status, body, request.getResponseHeader("Retry-After")));
    });
    request.addEventListener("error", () => reject(unreachable()));
    request.addEventListener("abort", () =>
      reject(new ApiError({ title: t("Upload canceled"), detail: t("Nothing was stored on the server.") })),
    );
    request.open("POST", path);
    request.responseType = kind;
    request.setRequestHeader("Accept", kind === "blob" ? "*/*" : "application/json");
    request.setRequestHeader("Accept-Language", locale);
    request.send(form);
  });
  return {
    done: answer,
    abort: () => request.abort(),
    header: (/** @type {string} */ name) => request.getResponseHeader(name),
  };
}

/** The rate over the last three seconds, so that it neither jumps nor lags. */
export function rateMeter() {
  /** @type {[number, number][]} */
  const marks = [];
  /** @param {number} sent @param {number} total */
  return (sent, total) => {
    const now = performance.now();
    marks.push([now, sent]);
    while (marks.length > 2 && now - marks[0][0] > 3000) marks.shift();
    const [time, bytes] = marks[0];
    const rate = now - time < 100 ? null : ((sent - bytes) / (now - time)) * 1000;
    return { rate, left: rate ? (total - sent) / rate : null };
  };
}
