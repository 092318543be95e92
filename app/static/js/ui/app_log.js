/* The end of the application's log: by level and text, updated while it is on the screen. */
import { get } from "../lib/api.js";
import { $, failure, h, setChildren } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const EVERY_MS = 3000;
const CLASSES = { WARNING: "is-warning", ERROR: "is-error", CRITICAL: "is-error" };

export class AppLog {
  constructor(panel) {
    this.container = $("[data-log]", panel);
    this.level = $("[data-level]", panel);
    this.search = $("[data-search]", panel);
    this.follow = $("[data-follow]", panel);
    this.text = null;
    this.turn = 0;
    this.level.addEventListener("change", () => this.load());
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.load(), 250);
    });
    this.follow.addEventListener("change", () => {
      if (this.follow.checked) this.load();
    });
    this.load();
    setInterval(() => {
      if (this.follow.checked && !document.hidden) this.load();
    }, EVERY_MS);
  }

  async load() {
    const turn = ++this.turn;
    try {
      const answer = await get("/api/system/logs", {
        level: this.level.value,
        search: this.search.value.trim(),
        limit: 300,
      });
      if (turn === this.turn) this.show(answer);
    } catch (error) {
      if (turn === this.turn) {
        this.text = null;
        setChildren(
          this.container,
          failure(error, () => this.load()),
        );
      }
    }
  }

  show({ entries, complete }) {
    const text = JSON.stringify(entries);
    if (text === this.text) return; // keeps the selection
    this.text = text;
    setChildren(
      this.container,
      entries.length
        ? entries.map((entry) => this.row(entry))
        : h(
            "p",
            { class: "panel-empty" },
            complete ? t("No log entries match this search.") : t("No recent log entries match this search."),
          ),
    );
    if (this.follow.checked) this.container.scrollTop = this.container.scrollHeight;
  }

  row({ time, level, logger, message }) {
    return h(
      "div",
      { class: `log-entry ${CLASSES[level] || ""}` },
      h("span", { class: "log-time" }, time.replace(",", ".")),
      h("span", { class: "log-level" }, level),
      h("span", { class: "log-name", title: logger }, logger),
      h("pre", {}, message),
    );
  }
}
