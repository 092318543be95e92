/* The tests stored on the server: searched, paged, opened again, deleted. */
import { mayChange } from "../lib/access.js";
import { get, remove } from "../lib/api.js";
import { $, confirmed, fillFrom, h, icon, setChildren, toast } from "../lib/dom.js";
import { ago, dateTime, number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { showPager } from "../ui/pager.js";
import { labelOf } from "./detections.js";

const PER_PAGE = 12;

export class TestHistory {
  /** `open(test)` shows one again. */
  constructor(open) {
    this.open = open;
    this.page = 1;
    this.turn = 0;
    this.search = $("[data-search]");
    this.whose = $("[data-whose-test]"); // without authentication there is one user
    this.whose?.addEventListener("change", () => this.load(1));
    this.search.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.load(1), 250);
    });
  }

  /** Deferred, so that many tests in a row cause one request. */
  refresh() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(this.page), 600);
  }

  load(page = this.page) {
    const turn = ++this.turn;
    const search = this.search.value.trim();
    const mine = this.whose?.value || "";
    this.page = page;
    return fillFrom(
      $("[data-history]"),
      () => get("/api/tests", { page, per_page: PER_PAGE, search, created_by: mine }),
      (answer, container) => {
        if (turn !== this.turn) return;
        if (!answer.tests.length && page > 1) {
          this.load(Math.max(1, answer.pages));
          return;
        }
        $("[data-history-count]").textContent = answer.total ? number(answer.total) : "";
        showPager($("[data-pager]"), answer, (target) => this.load(target));
        const empty = search && !mine ? t("No tests match this model name.") : t("Your tests appear here.");
        setChildren(
          container,
          answer.tests.length ? answer.tests.map((test) => this.shot(test)) : h("p", { class: "panel-empty" }, empty),
        );
      },
    );
  }

  shot(test) {
    const [first] = test.detections;
    const label = first?.top5 && labelOf(first);
    const summary = label || tn("{n} object detected", "{n} objects detected", test.detections.length);
    const open = t("Open test: {found}, {model}", { found: summary, model: test.training_name });
    return h(
      "div",
      { class: "test-shot", "data-test": test.id },
      h(
        "button",
        {
          class: "test-shot-open",
          type: "button",
          title: dateTime(test.created_at),
          "aria-label": open,
          onclick: () => this.reopen(test),
        },
        h("img", { src: test.image_url, alt: "", loading: "lazy", decoding: "async" }),
        h(
          "span",
          { class: "test-shot-text" },
          h("strong", { title: label || null }, label || tn("{n} object", "{n} objects", test.detections.length)),
          h("span", { class: "quiet" }, test.training_name),
          h("span", { class: "quiet" }, ago(test.created_at)),
        ),
      ),
      h(
        "span",
        { class: "test-shot-tools" },
        h(
          "a",
          {
            class: "icon-button",
            href: test.image_url,
            download: `test-${test.id}.jpg`,
            title: t("Download image with boxes"),
            "aria-label": t("Download image with boxes"),
          },
          icon("download"),
        ),
        mayChange(test) &&
          h(
            "button",
            {
              class: "icon-button",
              type: "button",
              title: t("Delete"),
              "aria-label": t("Delete"),
              onclick: () => this.remove(test),
            },
            icon("trash3"),
          ),
      ),
    );
  }

  async reopen(test) {
    try {
      this.open(await get(`/api/tests/${test.id}`));
    } catch (error) {
      toast(error.detail || error.title, "failed");
    }
  }

  async remove(test) {
    const agreed = await confirmed({
      title: t("Delete this test?"),
      text: t("The image and its detections are deleted permanently. The model is kept."),
      action: t("Delete"),
    });
    if (!agreed) return;
    try {
      await remove(`/api/tests/${test.id}`);
    } catch (error) {
      if (error.status !== 404) toast(error.detail || error.title, "failed");
    }
    this.load();
  }
}
