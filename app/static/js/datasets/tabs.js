/* Tabs: one is in the Tab order, arrow keys move among them. */
import { $, $$ } from "../lib/dom.js";

export class Tabs {
  /** `chosen(name)` is called when the reader picks one. */
  constructor(list, chosen) {
    this.tabs = $$("[role=tab]", list);
    this.names = this.tabs.map((tab) => tab.dataset.tab);
    for (const tab of this.tabs) tab.addEventListener("click", () => chosen(tab.dataset.tab));
    list.addEventListener("keydown", (event) => this.key(event, chosen));
  }

  key(event, chosen) {
    const at = this.tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: this.tabs.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const tab = this.tabs[(to + this.tabs.length) % this.tabs.length];
    tab.focus();
    chosen(tab.dataset.tab);
  }

  show(name) {
    for (const tab of this.tabs) {
      const is = tab.dataset.tab === name;
      const anew = is && tab.getAttribute("aria-selected") !== "true";
      tab.setAttribute("aria-selected", is);
      tab.tabIndex = is ? 0 : -1;
      const panel = $(`[data-panel="${tab.dataset.tab}"]`);
      panel.hidden = !is;
      $("[name=search]", panel)?.toggleAttribute("data-search", is); // the one that "/" focuses
      // an unchanged tab leaves the reader's scroll position
      if (anew) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
}
