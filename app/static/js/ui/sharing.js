/* Shares a dataset or a run with all users. If everybody sees everything (PRIVATE_DATA is off) the server leaves
   `shared` out, and none of this is shown. */
import { patch } from "../lib/api.js";
import { toast } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** After a name in lists and heads. @param {{shared?: boolean}} item */
export const sharedText = (item) => (item.shared ? ` · ${t("shared")}` : "");

/** The button's label. @param {{shared?: boolean}} item */
export const shareLabel = (item) => (item.shared ? t("Stop sharing") : t("Share with everyone"));

export const shareHelp = () => t("Everyone who can log in sees it. Only you and admins can change it.");

/** Share it, or stop sharing; returns the changed object, null if that failed.
 *  @param {string} path @param {{shared?: boolean}} item */
export async function share(path, item) {
  try {
    return await patch(path, { shared: !item.shared });
  } catch (error) {
    toast(error.detail || error.title || String(error), "failed");
    return null;
  }
}
