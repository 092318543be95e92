/* The tab of the findings: a group for each code, with file and line, what YOLO does, and the fix. */
import { get } from "../lib/api.js";
import { $, $$, blank, failure, h, setChildren, skeleton } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { bind, change } from "./address.js";
import { findingGroup } from "./finding_group.js";
import { showSummary } from "./finding_summary.js";

const PER_PAGE = 20;
const RANK = { error: 0, warning: 1, info: 2 };
const FILTERS = ["search", "severity", "split", "fixable"];

export class FindingsTab {
  /** `fix(codes, groups)` is called when the reader requests a fix. */
  constructor(current, panel, fix) {
    this.current = current;
    this.panel = panel;
    this.fix = fix;
    this.container = $("[data-findings]", panel);
    this.images = [];
    this.fill = bind($("[data-finding-filters]", panel));
    for (const choice of $$("[data-severity]", panel))
      choice.addEventListener("click", () =>
        change({ severity: choice.dataset.severity, code: "", page: "" }, { replace: true }),
      );
  }

  changed() {
    this.key = null;
  }

  enter(state) {
    this.fill(state);
    for (const choice of $$("[data-severity]", this.panel))
      choice.setAttribute("aria-pressed", choice.dataset.severity === (state.severity || ""));
    const query = Object.fromEntries(FILTERS.map((name) => [name, state[name] || ""]));
    const key = JSON.stringify([this.current.data?.revision, query, state.code || ""]);
    const page = Math.max(1, Number.parseInt(state.page, 10) || 1);
    if (key === this.key && page === this.page) return;
    this.key = key;
    this.query = query;
    this.page = page;
    this.code = state.code || "";
    this.load();
  }

  /** The groups of all codes that match the filters; with a page of findings in the open one. */
  async load() {
    if (!this.current.ready) {
      this.none();
      return;
    }
    const { key, page } = this;
    this.container.setAttribute("aria-busy", "true");
    try {
      const answer = await get(`${this.current.path}/findings`, {
        ...this.query,
        code: this.code,
        page,
        per_page: PER_PAGE,
      });
      if (key === this.key && page === this.page) this.show(answer);
    } catch (error) {
      if (key !== this.key) return;
      setChildren($("[data-finding-summary]", this.panel));
      setChildren(
        this.container,
        failure(error, () => {
          setChildren(this.container, skeleton(6));
          this.load();
        }),
      );
    } finally {
      this.container.removeAttribute("aria-busy");
    }
  }

  none() {
    const { data, busy } = this.current;
    setChildren($("[data-finding-summary]", this.panel));
    setChildren(
      this.container,
      h(
        "div",
        { class: "panel panel-empty" },
        busy ? t("The dataset check isn't finished.") : data.error || t("No issues found."),
      ),
    );
  }

  show(answer) {
    this.counts(answer.counts);
    const groups = answer.codes
      .filter((item) => this.fits(item))
      .sort((a, b) => RANK[a.severity] - RANK[b.severity] || b.count - a.count);
    showSummary($("[data-finding-summary]", this.panel), this.current, answer, this.fix);
    if (!answer.codes.length) {
      setChildren(this.container, this.clean());
      return;
    }
    if (!groups.length) {
      setChildren(
        this.container,
        h(
          "div",
          { class: "panel panel-empty" },
          this.query.severity && !this.query.search
            ? t("No issues of this severity.")
            : t("No issues match these filters."),
        ),
      );
      return;
    }
    const open = this.code && groups.find((item) => item.code === this.code);
    this.images = open ? [...new Set(answer.findings.map((item) => item.image_id).filter(Boolean))] : [];
    const focusedCode = /** @type {HTMLElement} */ (document.activeElement?.closest("[data-code]"))?.dataset.code;
    setChildren(
      this.container,
      h(
        "div",
        { class: "finding-groups" },
        groups.map((item) => findingGroup(item, item === open ? answer : null, this.fix)),
      ),
    );
    if (focusedCode) $(`[data-code="${CSS.escape(focusedCode)}"] .finding-open`, this.container)?.focus();
    this.reveal(open?.code || null);
  }

  /** Make the group visible when the page was opened by a link to an issue: scroll if it is off the screen. A group
   *  opened by a click is visible. */
  reveal(code) {
    if (code === this.revealed) return;
    this.revealed = code;
    const group = code && $(`[data-code="${CSS.escape(code)}"]`, this.container);
    const { top } = group ? group.getBoundingClientRect() : { top: 0 };
    if (group && (top < 0 || top > window.innerHeight / 2)) group.scrollIntoView({ block: "start" });
  }

  fits({ severity, fixable }) {
    return (!this.query.severity || severity === this.query.severity) && (!this.query.fixable || fixable);
  }

  counts(counts) {
    for (const choice of $$("[data-severity]", this.panel)) {
      const name = choice.dataset.severity;
      const count = name ? counts[name] : counts.error + counts.warning + counts.info;
      $("[data-severity-count]", choice).textContent = number(count || 0);
    }
  }

  clean() {
    return blank({
      symbol: "clipboard2-check",
      title: t("No issues found"),
      text: t("All images and labels are valid. Training uses all of them."),
      actions: [],
    });
  }

  /** The viewer steps through the images of the listed findings. */
  get source() {
    const at = (id) => this.images.indexOf(id);
    return {
      record: () => null,
      positionOf: (id) => (at(id) < 0 ? null : { at: at(id) + 1, total: this.images.length }),
      neighbour: async (id, by) => this.images[at(id) < 0 ? 0 : at(id) + by] ?? null,
    };
  }

  located(id) {
    return { image: id };
  }

  focus(id) {
    $(`[data-look="${id}"]`, this.container)?.focus();
  }
}
