/* A slide show over the page: arrow keys, or the buttons, step; Escape closes. Lists of several pages continue on the
   next page. */
import { h, icon, setChildren } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";

/**
 * Opens at `start`.
 * @param {{title: string, body: () => any}[]} items
 * @param {number} start
 * @param {{total: number, before: number, turn: (by: number) => Promise<any>}} [pages] `total`: items of all pages.
 *   `before`: of these, those of earlier pages. `turn`: loads the page behind (1) or before (-1), the last page behind
 *   the first; returns its items and `before`, or null where that failed.
 */
export function lightbox(items, start = 0, pages) {
  let at = start;
  let before = pages?.before ?? 0;
  let turning = false;
  const title = h("h2", { id: "lightbox-title" });
  const count = h("span", { class: "under nowrap" });
  const body = h("div", { class: "lightbox-body" });
  const total = () => pages?.total ?? items.length;
  const step = async (by) => {
    if (turning) return;
    const outside = at + by < 0 || at + by >= items.length;
    if (!outside || total() === items.length) {
      at = (at + by + items.length) % items.length;
      show();
      return;
    }
    turning = true;
    const page = await pages.turn(by);
    turning = false;
    if (!page?.items.length) return;
    ({ items, before } = page);
    at = by > 0 ? 0 : items.length - 1;
    show();
  };
  const arrow = (symbol, label, by) =>
    h(
      "button",
      {
        class: "icon-button",
        type: "button",
        title: label,
        "aria-label": label,
        hidden: total() < 2,
        onclick: () => step(by),
      },
      icon(symbol),
    );
  const dialog = h(
    "dialog",
    {
      class: "dialog lightbox",
      "aria-labelledby": "lightbox-title",
      onclose: () => dialog.remove(),
      onkeydown: (event) => {
        if (event.key === "ArrowLeft") step(-1);
        else if (event.key === "ArrowRight") step(1);
      },
      onclick: (event) => {
        if (event.target === dialog) dialog.close();
      },
    },
    h(
      "header",
      { class: "lightbox-head" },
      title,
      count,
      arrow("chevron-left", t("Previous"), -1),
      arrow("chevron-right", t("Next"), 1),
      h(
        "button",
        {
          class: "icon-button",
          type: "button",
          title: t("Close"),
          "aria-label": t("Close"),
          onclick: () => dialog.close(),
        },
        icon("x-lg"),
      ),
    ),
    body,
  );
  function show() {
    title.textContent = items[at].title;
    const position = { n: number(before + at + 1), total: number(total()) };
    count.textContent = total() > 1 ? t("{n} of {total}", position) : "";
    setChildren(body, items[at].body());
  }
  show();
  document.body.append(dialog);
  dialog.showModal();
}
