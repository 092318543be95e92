/* A growing log: appended by position, so that nothing is missing or doubled; search; follow. */
import { t } from "../lib/i18n.js";

const MAX_LINES = 5000;
const encoder = new TextEncoder();

/** `fetchFrom(offset)` → {text, offset}: the text after that byte. */
export class LogView {
  constructor(container, follow, search, fetchFrom) {
    this.container = container;
    this.follow = follow;
    this.search = search;
    this.fetchFrom = fetchFrom;
    this.lines = [""];
    this.offset = null;
    container.dataset.empty = t("The log is empty.");
    search.addEventListener("input", () => this.show());
    follow.addEventListener("change", () => this.scroll());
    container.addEventListener("scroll", () => {
      if (this.scrolling) {
        this.scrolling = false;
        return;
      }
      follow.checked = container.scrollHeight - container.scrollTop - container.clientHeight < 24;
    });
  }

  replace({ text, offset, attempt }) {
    this.offset = offset;
    this.attempt = attempt;
    this.lines = [""];
    this.add(text);
  }

  /** Append a piece that ends at byte `offset`; known pieces are dropped, gaps are fetched. Each attempt writes a file
   *  of its own: a later one starts at 0. */
  async append({ text, offset, attempt }) {
    if (this.offset === null) return;
    if (attempt > (this.attempt ?? attempt)) this.offset = 0;
    this.attempt = attempt;
    if (offset <= this.offset) return;
    if (offset - encoder.encode(text).length !== this.offset) {
      const missing = await this.fetchFrom(this.offset).catch(() => null);
      if (!missing || missing.offset <= this.offset) return;
      ({ text, offset } = missing);
    }
    this.offset = offset;
    this.add(text);
  }

  add(text) {
    // A terminal's progress bars rewrite their line after a carriage return: keep the text that would be visible.
    const pieces = text
      // eslint-disable-next-line no-control-regex -- colours of a terminal
      .replace(/\x1b\[[0-9;]*[A-Za-z]/g, "")
      .replace(/\r\n/g, "\n")
      .split("\n");
    this.lines[this.lines.length - 1] += pieces[0];
    this.lines.push(...pieces.slice(1));
    this.lines = this.lines.slice(-MAX_LINES).map((line) => (line.includes("\r") ? lastFrame(line) : line));
    this.schedule();
  }

  schedule() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.show();
    });
  }

  show() {
    const term = this.search.value.trim().toLowerCase();
    const lines = term ? this.lines.filter((line) => line.toLowerCase().includes(term)) : this.lines;
    this.container.textContent = lines.join("\n");
    this.scroll();
  }

  scroll() {
    if (!this.follow.checked) return;
    const before = this.container.scrollTop;
    this.container.scrollTop = this.container.scrollHeight;
    this.scrolling = this.container.scrollTop !== before;
  }
}

function lastFrame(line) {
  const frames = line.split("\r");
  return frames.findLast((frame) => frame.trim()) || "";
}
