/* The downloads: the original, and the present revision in the usual formats. */
import { ApiError, problem } from "../lib/api.js";
import { h, icon, setChildren, toast } from "../lib/dom.js";
import { bytes } from "../lib/format.js";
import { locale, t } from "../lib/i18n.js";
import { EXPORTS, formatName } from "../lib/vocabulary.js";
import { ended } from "../ui/jobs.js";

const CONTENTS = {
  yolo: () => t("images, labels, data.yaml"),
  coco: () => t("images and JSON"),
  voc: () => t("images and XML"),
};
const SOON_MS = 500; // a slower response is announced

export function showDownloads(container, current) {
  const { data, path } = current;
  const item = (href, name, title, text) =>
    h(
      "li",
      {},
      h(
        "a",
        {
          class: "dropdown-item download-item",
          href,
          download: true,
          onclick: (event) => {
            event.preventDefault();
            download(href, name);
          },
        },
        h("strong", {}, title),
        h("span", { class: "quiet" }, text),
      ),
    );
  const boxes = data.task !== "classify";
  setChildren(
    container,
    data.original &&
      item(
        `${path}/original`,
        t("Original"),
        t("Original"),
        [data.original.name, data.original.bytes && bytes(data.original.bytes)].filter(Boolean).join(" · "),
      ),
    current.ready &&
      EXPORTS.filter((format) => boxes || format === "yolo").map((format) =>
        item(
          `${path}/export?format=${format}&revision=${data.revision}`,
          formatName(format),
          t("Cleaned ({format})", { format: formatName(format) }),
          boxes ? CONTENTS[format]() : t("images in class folders"),
        ),
      ),
    !data.original &&
      !current.ready &&
      h(
        "li",
        {},
        h(
          "span",
          { class: "dropdown-item-text quiet" },
          icon("hourglass"),
          " ",
          t("No downloads yet: the dataset check isn't finished."),
        ),
      ),
  );
}

const downloading = new Set();

/** Resolves when the file is available: immediately, or when the job that creates it has ended. Rejects with the reason
 *  if it can't be created. */
async function request(href) {
  const answer = await fetch(href, { method: "HEAD", headers: { "Accept-Language": locale } }).catch(() => null);
  if (answer?.status === 200) return;
  const begun = await start(href);
  if (!begun) return;
  const job = await ended(begun.job_id);
  if (job.status !== "completed") throw new ApiError({ detail: job.error?.message || t("The export was stopped.") });
}

/** Request the file: returns the job if it must be created first; null if it exists. */
async function start(href) {
  const answer = await fetch(href, { headers: { "Accept-Language": locale, Accept: "application/json" } });
  if (!answer.ok) throw problem(answer.status, await answer.text());
  if (answer.status === 202) return answer.json();
  await answer.body?.cancel(); // the browser will download it
  return null;
}

/** Have the file created, then let the browser download it. A refusal is shown here, since the browser would save it as
 *  a file. */
async function download(href, name) {
  if (downloading.has(href)) return;
  downloading.add(href);
  const timer = setTimeout(
    () => toast(t("{name}: creating the ZIP. The download starts automatically.", { name })),
    SOON_MS,
  );
  try {
    await request(href);
    h("a", { href, download: true }).click();
  } catch (error) {
    toast([t("{name} can't be downloaded.", { name }), error.detail || error.title].join(" "), "failed");
  } finally {
    clearTimeout(timer);
    downloading.delete(href);
  }
}
