/* Pictures one by one over the page: arrow keys, or the buttons, go on; Escape closes. */
import { h, icon, put } from "./dom.js";
import { number } from "./format.js";
import { t } from "./i18n.js";

/** items: [{title, body() → elements}]; opens at `start`. */
export function lightbox(items, start = 0) {
  let at = start;
  const title = h("h2", { id: "lightbox-title" });
  const count = h("span", { class: "under nowrap" });
  const body = h("div", { class: "lightbox-body" });
  const step = (by) => { at = (at + by + items.length) % items.length; show(); };
  const arrow = (symbol, label, by) => h("button", { class: "icon-button", type: "button", title: label, "aria-label": label, hidden: items.length < 2, onclick: () => step(by) }, icon(symbol));
  const dialog = h("dialog", { class: "dialog lightbox", "aria-labelledby": "lightbox-title", onclose: () => dialog.remove(),
    onkeydown: (event) => { if (event.key === "ArrowLeft") step(-1); else if (event.key === "ArrowRight") step(1); },
    onclick: (event) => { if (event.target === dialog) dialog.close(); } },
  h("header", { class: "lightbox-head" }, title, count, arrow("chevron-left", t("Previous"), -1), arrow("chevron-right", t("Next"), 1),
    h("button", { class: "icon-button", type: "button", title: t("Close"), "aria-label": t("Close"), onclick: () => dialog.close() }, icon("x-lg"))), body);
  function show() {
    title.textContent = items[at].title;
    count.textContent = items.length > 1 ? t("{n} of {total}", { n: number(at + 1), total: number(items.length) }) : "";
    put(body, items[at].body());
  }
  show();
  document.body.append(dialog);
  dialog.showModal();
}
