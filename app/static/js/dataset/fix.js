/* Fixing findings: what will happen is said before, what was done is said after. */
import { get, post } from "../api.js";
import { ask, h, icon, put, toast } from "../dom.js";
import { number } from "../format.js";
import { t, tn } from "../i18n.js";
import { badge } from "../status.js";

/** Starts revisions of the dataset and tells how they ended. Event-free: `changed()` loads the page's parts anew. */
export class Work {
  constructor(current, place) {
    Object.assign(this, { current, place, asked: null });
  }

  /** Ask, then fix the findings with these codes ("all" or a list); `groups` as GET findings gives its codes. */
  async fix(codes, groups) {
    const told = await Promise.all(groups.map((group) => this.told(group)));
    const count = groups.reduce((sum, group) => sum + counted(group), 0);
    const agreed = await ask({
      title: tn("Fix {n} finding?", "Fix {n} findings?", count), action: t("Fix and make a new revision"),
      body: [h("p", {}, t("This will happen:")), h("ul", { class: "fix-list" }, told.map(({ group, fix }) => h("li", {}, badge(group.severity), h("div", {}, h("strong", {}, group.title || group.code), ` · ${number(counted(group))}`, fix && h("p", { class: "quiet" }, fix))))),
        h("p", { class: "dialog-note" }, icon("info-circle"), h("span", {}, t("The present revision and the original stay as they are; a new revision is made and used from then on.")))],
    });
    if (agreed) await this.start(() => post(`${this.current.path}/fix`, { codes }), { kind: "fix", groups });
  }

  /** What the fix of a code does, from one of its findings where the list of codes does not tell. */
  async told(group) {
    if (group.fix) return { group, fix: group.fix };
    const { findings } = await get(`${this.current.path}/findings`, { code: group.code, fixable: "true", per_page: 1 }).catch(() => ({ findings: [] }));
    return { group, fix: findings[0]?.fix };
  }

  /** Make a revision with other options. */
  change(options) {
    return this.start(() => post(`${this.current.path}/revisions`, options), { kind: "options" });
  }

  async start(request, about) {
    try {
      const { revision } = await request();
      this.asked = { revision, before: await this.counts(), ...about };
      toast(t("Revision {n} is being made.", { n: number(revision) }));
      this.current.dispatchEvent(new CustomEvent("started"));
    } catch (error) {
      toast([error.detail || error.title, ...error.errors?.map((item) => `${item.field}: ${item.message}`) || []].join(" "), "failed");
    }
  }

  async counts() {
    return (await this.current.once("findings", { per_page: 1 }).catch(() => null))?.counts;
  }

  /** A revision that was asked for here has ended: say what was done. */
  async ended(revisions) {
    const done = this.asked && revisions.find((item) => item.number === this.asked.revision);
    if (!done || done.status === "building") return;
    const { kind, before } = this.asked;
    this.asked = null;
    if (done.status === "failed") { toast(done.error || t("Revision {n} could not be made.", { n: number(done.number) }), "failed"); return; }
    toast(t("Revision {n} is ready and in use.", { n: number(done.number) }), "success");
    if (kind === "fix") put(this.place, this.report(done, before, await this.counts()));
  }

  report(done, before, after) {
    const part = (name) => before && after && h("li", {}, badge(name), " ", h("span", { class: "tabular" }, `${number(before[name])} → ${number(after[name])}`));
    const close = () => put(this.place);
    return h("section", { class: "panel fixed", role: "status" }, icon("check-circle-fill"),
      h("div", { class: "fixed-text" }, h("strong", {}, t("Fixed: revision {n} is in use.", { n: number(done.number) })),
        h("ul", { class: "fixed-counts" }, part("error"), part("warning"), part("info")),
        done.effects?.length > 0 && h("ul", {}, done.effects.map((item) => h("li", {}, item.message || item.code)))),
      h("button", { class: "btn-close", type: "button", "aria-label": t("Close"), onclick: close }));
  }
}

const counted = (group) => (typeof group.fixable === "number" ? group.fixable : group.count);
