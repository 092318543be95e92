/* The tab of the findings: a group for each code, with file and line, what YOLO does, and the fix. */
import { get } from "../api.js";
import { $, $$, blank, button, failure, h, icon, put, skeleton } from "../dom.js";
import { number } from "../format.js";
import { t, tn } from "../i18n.js";
import { showPager } from "../pager.js";
import { badge } from "../status.js";
import { bind, change } from "./address.js";
import { byObject } from "./viewer_aside.js";

const PER_PAGE = 20;
const RANK = { error: 0, warning: 1, info: 2 };
const FILTERS = ["search", "severity", "split", "fixable"];

export class FindingsTab {
  /** `fix(codes, groups)` is called when the reader wants something fixed. */
  constructor(current, panel, fix) {
    Object.assign(this, { current, panel, fix, place: $("[data-findings]", panel), images: [] });
    this.fill = bind($("[data-finding-filters]", panel));
    for (const button of $$("[data-severity]", panel)) button.addEventListener("click", () => change({ severity: button.dataset.severity, code: "", page: "" }, { replace: true }));
  }

  changed() {
    this.key = null;
  }

  enter(state) {
    this.fill(state);
    for (const button of $$("[data-severity]", this.panel)) button.setAttribute("aria-pressed", button.dataset.severity === (state.severity || ""));
    const query = Object.fromEntries(FILTERS.map((name) => [name, state[name] || ""]));
    const key = JSON.stringify([this.current.data?.revision, query, state.code || ""]);
    const page = Math.max(1, Number.parseInt(state.page, 10) || 1);
    if (key === this.key && page === this.page) return;
    Object.assign(this, { key, query, page, code: state.code || "" });
    this.load();
  }

  /** The groups of all codes that fit the filters; of the open one a page of its findings. */
  async load() {
    if (!this.current.ready) { this.none(); return; }
    const { key, page } = this;
    this.place.setAttribute("aria-busy", "true");
    try {
      const answer = await get(`${this.current.path}/findings`, { ...this.query, code: this.code, page, per_page: PER_PAGE });
      if (key === this.key && page === this.page) this.show(answer);
    } catch (error) {
      if (key !== this.key) return;
      put($("[data-finding-summary]", this.panel));
      put(this.place, failure(error, () => { put(this.place, skeleton(6)); this.load(); }));
    } finally {
      this.place.removeAttribute("aria-busy");
    }
  }

  none() {
    const { data, busy } = this.current;
    put($("[data-finding-summary]", this.panel));
    put(this.place, h("div", { class: "panel panel-empty" }, busy ? t("The dataset check isn't finished.") : data.error || t("No issues found.")));
  }

  show(answer) {
    this.counts(answer.counts);
    const groups = answer.codes.filter((item) => this.fits(item)).sort((a, b) => RANK[a.severity] - RANK[b.severity] || b.count - a.count);
    this.summary(answer, groups);
    if (!answer.codes.length) { put(this.place, this.clean()); return; }
    if (!groups.length) { put(this.place, h("div", { class: "panel panel-empty" }, this.query.severity && !this.query.search ? t("No issues of this severity.") : t("No issues match these filters."))); return; }
    const open = this.code && groups.find((item) => item.code === this.code);
    this.images = open ? [...new Set(answer.findings.map((item) => item.image_id).filter(Boolean))] : [];
    const kept = document.activeElement?.closest?.("[data-code]")?.dataset.code;
    put(this.place, h("div", { class: "finding-groups" }, groups.map((item) => this.group(item, item === open ? answer : null))));
    if (kept) $(`[data-code="${CSS.escape(kept)}"] .finding-open`, this.place)?.focus();
    this.reveal(open?.code || null);
  }

  /** Who comes by a link to an issue sees it: it is scrolled to where it is off the screen. A group that was opened here is on it. */
  reveal(code) {
    if (code === this.revealed) return;
    this.revealed = code;
    const group = code && $(`[data-code="${CSS.escape(code)}"]`, this.place);
    const { top } = group ? group.getBoundingClientRect() : { top: 0 };
    if (group && (top < 0 || top > window.innerHeight / 2)) group.scrollIntoView({ block: "start" });
  }

  fits({ severity, fixable }) {
    return (!this.query.severity || severity === this.query.severity) && (!this.query.fixable || fixable);
  }

  counts(counts) {
    for (const button of $$("[data-severity]", this.panel)) {
      const name = button.dataset.severity;
      const count = name ? counts[name] : counts.error + counts.warning + counts.info;
      $("[data-severity-count]", button).textContent = number(count || 0);
    }
  }

  summary({ counts, codes }) {
    const total = counts.error + counts.warning + counts.info;
    const fixable = codes.filter((item) => item.fixable);
    const part = (severity, word, text) => h("div", { class: "finding-figure" }, h("p", { class: `finding-number status-${severity}` }, h("strong", { class: "tabular" }, number(counts[severity])), " ", word), h("p", { class: "quiet" }, text));
    const report = (kind, symbol) => h("a", { class: "btn btn-outline btn-sm", href: `${this.current.path}/report.${kind}?revision=${this.current.data.revision}`, download: true }, icon(symbol), " ", kind.toUpperCase());
    put($("[data-finding-summary]", this.panel),
      h("div", { class: "finding-figures" }, part("error", tn("error", "errors", counts.error), t("excluded from training")), part("warning", tn("warning", "warnings", counts.warning), t("may hurt the results")), part("info", tn("info", "info", counts.info), t("no effect on training"))),
      h("div", { class: "finding-actions" },
        total > 0 && h("span", { class: "finding-report" }, t("Report"), " ", report("json", "filetype-json"), " ", report("csv", "filetype-csv")),
        fixable.length > 0 && button("magic", tn("Fix {n} issue", "Fix {n} issues", counts.fixable), () => this.fix("all", fixable), "btn-primary btn-sm")));
  }

  clean() {
    return blank({ symbol: "clipboard2-check", title: t("No issues found"), text: t("All images and labels are valid. Training uses all of them."), actions: [] });
  }

  group(item, open) {
    const toggle = () => change({ code: open ? "" : item.code, page: "" }, { replace: true });
    const id = `findings-${item.code}`;
    return h("section", { class: `panel finding-group ${open ? "is-open" : ""}`, "data-code": item.code },
      h("header", { class: "finding-group-head" },
        h("button", { class: "finding-open", type: "button", "aria-expanded": Boolean(open).toString(), "aria-controls": id, onclick: toggle },
          icon("chevron-right"), badge(item.severity), h("span", { class: "finding-title" }, item.title || item.code, " ", h("span", { class: "count" }, number(item.count)))),
        item.fixable > 0 && this.fixButton(item)),
      open && h("div", { id, class: "finding-body" }, this.body(open)));
  }

  fixButton(item) {
    return button("wrench-adjustable", t("Fix"), () => this.fix([item.code], [item]), "btn-outline btn-sm");
  }

  body(answer) {
    const [first] = answer.findings;
    if (!first) return h("p", { class: "panel-empty" }, t("No issues match these filters."));
    const pager = h("nav", { class: "pager", "aria-label": t("Pages") });
    showPager(pager, answer, (page) => change({ page: page > 1 ? page : "" }));
    const counted = answer.findings.every(byObject);
    const place = counted ? t("Object") : t("Line");
    const same = new Set(answer.findings.map((item) => item.message)).size === 1;
    const fact = (label, text) => text && [h("dt", {}, label), h("dd", {}, text)];
    return [
      h("dl", { class: "finding-facts" }, same && fact(t("Issue type"), first.message), fact(t("What YOLO does"), first.effect), fact(t("How to fix"), first.fix || (first.fixable ? null : t("No automatic fix. Correct it in your annotation tool and upload the dataset again.")))),
      h("div", { class: "table-wrap" }, h("table", { class: "list is-cards" },
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("File")), h("th", { scope: "col" }, place), !same && h("th", { scope: "col" }, t("Issue type")), h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, t("Actions"))))),
        h("tbody", {}, answer.findings.map((item) => this.row(item, same, place))))), pager];
  }

  row(item, same, place) {
    return h("tr", {},
      h("td", { class: "wide file" }, item.file || "–", byObject(item) && item.image && h("span", { class: "quiet finding-image" }, item.image)),
      h("td", { "data-label": place, class: "tabular" }, item.line ? number(item.line) : "–"),
      !same && h("td", { class: "wide" }, item.message),
      h("td", { class: "finding-look" }, item.image_id && h("button", { class: "btn btn-outline btn-sm", type: "button", "data-look": item.image_id, onclick: () => change({ image: item.image_id }) }, icon("image"), " ", t("View"), h("span", { class: "visually-hidden" }, ` ${item.file || ""}`))));
  }

  /** The viewer steps through the images of the findings that are listed. */
  get source() {
    const at = (id) => this.images.indexOf(id);
    return {
      record: () => null,
      place: (id) => (at(id) < 0 ? null : { at: at(id) + 1, total: this.images.length }),
      neighbour: async (id, by) => this.images[at(id) < 0 ? 0 : at(id) + by] ?? null,
    };
  }

  located(id) {
    return { image: id };
  }

  focus(id) {
    $(`[data-look="${id}"]`, this.place)?.focus();
  }
}
