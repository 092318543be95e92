/* Showing a dataset or a run to everybody who has a login. Where everybody sees everything (PRIVATE_DATA is off) the
   server leaves `shared` out, and nothing of this is there. */
import { patch } from "../lib/api.js";
import { toast } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

/** Behind a name in lists and heads. @param {{shared?: boolean}} item */
export const sharedText = (item) => (item.shared ? ` · ${t("shared")}` : "");

/** Of the button. @param {{shared?: boolean}} item */
export const shareLabel = (item) => (item.shared ? t("Stop sharing") : t("Share with everyone"));

export const shareHelp = () => t("Everyone who can log in sees it. Only you and admins can change it.");

/** Share it, or no longer; the changed thing, null where that failed.
 *  @param {string} path @param {{shared?: boolean}} item */
export async function share(path, item) {
  try {
    return await patch(path, { shared: !item.shared });
  } catch (error) {
    toast(error.detail || error.title || String(error), "failed");
    return null;
  }
}
