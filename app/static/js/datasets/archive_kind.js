/* Whether a file is a complete ZIP, by its first and last bytes: checked before gigabytes of it are sent. */
import { t } from "../lib/i18n.js";

const ZIP = [0x50, 0x4b];
const OTHER_ARCHIVES = [
  ["RAR", [0x52, 0x61, 0x72, 0x21]],
  ["7z", [0x37, 0x7a, 0xbc, 0xaf]],
  ["gzip", [0x1f, 0x8b]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];
const END = [0x50, 0x4b, 0x05, 0x06]; // of a ZIP's central directory
const END_AT_MOST = 22 + 65535; // bytes from there to the end of the file: the record and its comment

const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());
const begins = (bytes, mark, at = 0) => mark.every((byte, index) => bytes[at + index] === byte);

/** Why the file cannot be a dataset's ZIP, and what to do; null if it may be one. */
export async function whyNoZip(file) {
  const head = await bytesOf(file.slice(0, 4));
  const other = OTHER_ARCHIVES.find(([, mark]) => begins(head, mark));
  if (other)
    return t("This is a {kind} archive renamed to ZIP. Extract it and create a ZIP of its contents.", {
      kind: other[0],
    });
  const tail = await bytesOf(file.slice(-END_AT_MOST));
  if (tail.some((byte, at) => byte === END[0] && begins(tail, END, at))) return null;
  if (!begins(head, ZIP)) return notZip();
  return t("The ZIP is incomplete. Download or create it again.");
}

export const notZip = () => t("This is not a ZIP file. Put images and labels into a ZIP and choose that file.");
