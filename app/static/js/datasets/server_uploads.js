/* Unfinished uploads on the server, of any browser: the received bytes of each, and its removal. */
import { get } from "../lib/api.js";
import { $, confirmed, h, setChildren, toast } from "../lib/dom.js";
import { ago, bytes } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { erase } from "./resumable.js";

const MOST = 100; // per page of the API

/** Fill a container with them; `mine` are the ids that this browser shows itself. */
export async function serverUploads(container, mine) {
  const { waiting, total } = await unfinished(mine);
  const reload = () => serverUploads(container, mine);
  container.hidden = !waiting.length;
  setChildren(
    container,
    waiting.length > 0 &&
      h(
        "details",
        { class: "panel server-uploads", open: Boolean($("details[open]", container)) },
        h("summary", {}, tn("{n} unfinished upload on the server", "{n} unfinished uploads on the server", total)),
        waiting.length > 1 && small(t("Remove all"), () => allRemoved(total, mine, reload)),
        h(
          "ul",
          { class: "server-uploads-list" },
          waiting.map((upload) => row(upload, reload)),
        ),
      ),
  );
}

/** Those of a first page that may be removed here, and their number on all pages. */
async function unfinished(mine) {
  const answer = await get("/api/uploads", { unfinished: true, per_page: MOST }).catch(() => null);
  const uploads = answer?.uploads || [];
  const waiting = uploads.filter((upload) => upload.state !== "checking" && !mine.has(upload.id));
  return { waiting, total: (answer?.total || 0) - (uploads.length - waiting.length) };
}

const small = (label, onclick) => h("button", { class: "btn btn-outline btn-sm", type: "button", onclick }, label);

function row(upload, reload) {
  return h(
    "li",
    { "data-upload": upload.id },
    h("span", { class: "server-uploads-name", title: upload.filename }, upload.name),
    h(
      "span",
      { class: "server-uploads-about tabular" },
      t("{arrived} of {total}", { arrived: bytes(upload.offset), total: bytes(upload.length) }),
      " · ",
      ago(upload.created_at),
    ),
    small(t("Remove"), () => removed(upload, reload)),
  );
}

async function removed(upload, reload) {
  const confirmation = await confirmed({
    title: t("Remove this upload?"),
    action: t("Remove"),
    text: t("The received part of “{name}” will be deleted. Someone may still be uploading the file.", {
      name: upload.name,
    }),
  });
  if (!confirmation) return;
  await erase(upload.id).catch(refused);
  reload();
}

async function allRemoved(total, mine, reload) {
  const confirmation = await confirmed({
    title: tn("Remove {n} upload?", "Remove {n} uploads?", total),
    action: t("Remove all"),
    text: t("The received parts will be deleted. Someone may still be uploading one of the files."),
  });
  if (!confirmation) return;
  try {
    for (let { waiting } = await unfinished(mine); waiting.length; { waiting } = await unfinished(mine)) {
      for (const upload of waiting) await erase(upload.id);
    }
  } catch {
    refused();
  }
  reload();
}

const refused = () =>
  toast(t("The upload couldn't be removed. Perhaps its dataset is already being created."), "failed");
