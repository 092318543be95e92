/* What can be taken away: the original, and the present revision in the usual formats. */
import { problem } from "../api.js";
import { h, icon, put, toast } from "../dom.js";
import { bytes } from "../format.js";
import { locale, t } from "../i18n.js";
import { ended } from "../jobs.js";

const FORMATS = [["yolo", "YOLO", () => t("images, labels, data.yaml")], ["coco", "COCO", () => t("images and JSON")], ["voc", "Pascal VOC", () => t("images and XML")]];
const SOON_MS = 500; // an answer that takes longer is announced

export function showDownloads(place, current) {
  const { data, path } = current;
  const item = (href, name, title, text) => h("li", {}, h("a", { class: "dropdown-item download-item", href, download: true, onclick: (event) => { event.preventDefault(); take(href, name); } }, h("strong", {}, title), h("span", { class: "quiet" }, text)));
  const boxes = data.task !== "classify";
  put(place,
    data.original && item(`${path}/original`, t("Original"), t("Original"), [data.original.name, data.original.bytes && bytes(data.original.bytes)].filter(Boolean).join(" · ")),
    current.ready && FORMATS.filter(([format]) => boxes || format === "yolo").map(([format, title, text]) => item(`${path}/export?format=${format}&revision=${data.revision}`, title, t("Cleaned ({format})", { format: title }), text())),
    !data.original && !current.ready && h("li", {}, h("span", { class: "dropdown-item-text quiet" }, icon("hourglass"), " ", t("No downloads yet: the dataset check isn't finished."))));
}

const taking = new Set();

/** The file is there: at once, or when the job that makes it has ended. Its reason where it can't be made. */
async function made(href) {
  const answer = await fetch(href, { method: "HEAD", headers: { "Accept-Language": locale } }).catch(() => null);
  if (answer?.status === 200) return;
  const begun = await start(href);
  if (!begun) return;
  const job = await ended(begun.job_id);
  if (job.status !== "completed") throw { detail: job.error?.message || t("The export was stopped.") };
}

/** Ask for the file: the job where it has to be made first; null where it is there. */
async function start(href) {
  const answer = await fetch(href, { headers: { "Accept-Language": locale, Accept: "application/json" } });
  if (!answer.ok) throw problem(answer.status, await answer.text());
  if (answer.status === 202) return answer.json();
  await answer.body?.cancel(); // the browser will download it
  return null;
}

/** Have the file made, then let the browser download it. A refusal is shown here: the browser itself would save it as a file. */
async function take(href, name) {
  if (taking.has(href)) return;
  taking.add(href);
  const told = setTimeout(() => toast(t("{name}: creating the ZIP. The download starts automatically.", { name })), SOON_MS);
  try {
    await made(href);
    h("a", { href, download: true }).click();
  } catch (error) {
    toast([t("{name} can't be downloaded.", { name }), error.detail || error.title].join(" "), "failed");
  } finally {
    clearTimeout(told);
    taking.delete(href);
  }
}
