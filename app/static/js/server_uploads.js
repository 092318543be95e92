/* Uploads that lie unfinished on the server, of any browser: what has arrived of each, and its removal. */
import { get } from "./api.js";
import { confirmed, h, put, toast } from "./dom.js";
import { ago, bytes } from "./format.js";
import { t, tn } from "./i18n.js";
import { erase } from "./resumable.js";

const MOST = 100;

/** Fill a place with them; `mine` are the ids that this browser shows itself. */
export async function serverUploads(place, mine) {
  const answer = await get("/api/uploads", { per_page: MOST }).catch(() => null);
  const waiting = (answer?.uploads || []).filter((upload) => ["receiving", "failed"].includes(upload.state) && !mine.has(upload.id));
  place.hidden = !waiting.length;
  if (!waiting.length) { put(place); return; }
  put(place, h("details", { class: "panel server-uploads" },
    h("summary", {}, tn("{n} unfinished upload on the server", "{n} unfinished uploads on the server", waiting.length)),
    h("ul", { class: "server-uploads-list" }, waiting.map((upload) => row(upload, () => serverUploads(place, mine))))));
}

function row(upload, reload) {
  return h("li", { "data-upload": upload.id },
    h("span", { class: "server-uploads-name", title: upload.filename }, upload.name),
    h("span", { class: "server-uploads-about tabular" },
      t("{arrived} of {total}", { arrived: bytes(upload.offset), total: bytes(upload.length) }), " · ", ago(upload.created_at)),
    h("button", { class: "btn btn-outline btn-sm", type: "button", onclick: () => removed(upload, reload) }, t("Remove")));
}

async function removed(upload, reload) {
  const sure = await confirmed({
    title: t("Remove this upload?"), action: t("Remove"),
    text: t("What has arrived of “{name}” is deleted. Someone may still be sending it.", { name: upload.name }),
  });
  if (!sure) return;
  try {
    await erase(upload.id);
  } catch {
    toast(t("The upload could not be removed. Its dataset may be in the making."), "error");
  }
  reload();
}
