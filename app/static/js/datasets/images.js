/* The tab of the images: filters, pages of thumbnails, the viewer's order. */
import { get } from "../lib/api.js";
import { $, $$, failure, h, icon, setChildren } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { showPager } from "../ui/pager.js";
import { bind, change, read } from "./address.js";
import { Grid } from "./grid.js";
import { classTag, className, withClass } from "./objects.js";

const PER_PAGE = 60;
const FILTERS = ["search", "class", "split", "finding", "sort", "min_objects", "max_objects", "min_size", "max_size"];
const CACHED_PAGES = 8; // pages
const LEGEND = 12; // classes that are named above the grid

export class ImagesTab {
  constructor(current, panel) {
    this.current = current;
    this.panel = panel;
    this.form = $("[data-image-filters]", panel);
    this.container = $("[data-grid-place]", panel);
    this.pages = new Map();
    this.fill = bind(this.form);
    this.grid = new Grid(
      this.container,
      () => current.classes,
      (id) => change({ image: id }),
    );
    $("[data-clear]", panel).addEventListener("click", () =>
      change({ page: "", ...Object.fromEntries(FILTERS.map((name) => [name, ""])) }),
    );
    $("[data-more-filters]", panel).addEventListener("click", (event) =>
      event.currentTarget.setAttribute("aria-expanded", this.form.classList.toggle("is-open")),
    );
    for (const name of ["boxes", "labels"]) {
      const box = $(`[data-${name}]`, panel);
      box.addEventListener("change", () => this.grid.switch({ [name]: box.checked }));
    }
    for (const button of $$("[data-density]", panel))
      button.addEventListener("click", () => this.density(button.dataset.density));
    try {
      this.density(localStorage.getItem("tiles") || "medium");
    } catch {
      this.density("medium");
    }
  }

  density(name) {
    this.container.dataset.size = name;
    for (const button of $$("[data-density]", this.panel))
      button.setAttribute("aria-pressed", button.dataset.density === name);
    try {
      localStorage.setItem("tiles", name);
    } catch {
      /* private mode: for this page only */
    }
  }

  /** Show the state of the address. */
  enter(state) {
    this.choices(state);
    this.fill(state);
    const query = Object.fromEntries(FILTERS.map((name) => [name, state[name] || ""]));
    const page = Math.max(1, Number.parseInt(state.page, 10) || 1);
    const key = JSON.stringify([this.current.data?.revision, query, page]);
    if (key === this.key) return;
    this.key = key;
    const same = JSON.stringify([this.current.data?.revision, query]);
    if (same !== this.order) {
      this.order = same;
      this.pages.clear();
    }
    this.query = query;
    this.page = page;
    this.load();
  }

  /** There is another revision. */
  changed() {
    this.key = null;
    this.chosenFor = null;
    this.pages.clear();
  }

  /** The dataset's classes and codes of findings, as choices. */
  choices(state) {
    const { classes, data } = this.current;
    const key = `${data.revision}:${classes.length}`;
    if (key === this.chosenFor) return;
    this.chosenFor = key;
    const select = this.form.elements.class;
    select.replaceChildren(
      select.options[0],
      ...classes.map((_name, index) =>
        h("option", { value: String(index) }, `${index} · ${className(classes, index)}`),
      ),
    );
    this.codes(state);
    this.legend();
  }

  async codes(state) {
    const select = this.form.elements.finding;
    const { codes } = await this.current.once("findings", { per_page: 1 }).catch(() => ({ codes: [] }));
    select.replaceChildren(
      select.options[0],
      ...codes
        .filter((item) => item.images)
        .map((item) => h("option", { value: item.code }, `${item.title} (${number(item.images)})`)),
    );
    const chosen = read().finding || state.finding;
    if (chosen && ![...select.options].some((option) => option.value === chosen))
      select.append(h("option", { value: chosen }, chosen));
    select.value = chosen || "";
  }

  legend() {
    const { classes } = this.current;
    const rest = classes.length - LEGEND;
    const toggle = (index) => change({ page: "", class: read().class === String(index) ? "" : String(index) });
    setChildren(
      $("[data-legend]", this.panel),
      classes.slice(0, LEGEND).map((_name, index) =>
        h(
          "button",
          {
            class: "legend-key",
            type: "button",
            "data-class": index,
            "aria-pressed": "false",
            onclick: () => toggle(index),
          },
          classTag(classes, index),
        ),
      ),
      rest > 0 && h("span", { class: "quiet" }, tn("and {n} more in the filters", "and {n} more in the filters", rest)),
    );
  }

  async load() {
    const { query, page, key } = this;
    if (!this.current.ready) {
      this.none();
      return;
    }
    for (const item of $$("[data-legend] [data-class]", this.panel))
      item.setAttribute("aria-pressed", item.dataset.class === query.class);
    $("[data-clear]", this.panel).hidden = !FILTERS.some((name) => name !== "sort" && query[name]);
    this.container.setAttribute("aria-busy", "true");
    try {
      const answer = await this.ask(page);
      if (key !== this.key) return;
      if (!answer.images.length && answer.total) {
        change({ page: answer.pages }, { replace: true });
        return;
      }
      this.show(answer);
    } catch (error) {
      if (key !== this.key) return;
      $("[data-image-total]", this.panel).textContent = "";
      $("[data-grid-pager]", this.panel).hidden = true;
      setChildren(
        this.container,
        failure(error, () => this.load()),
      );
    } finally {
      if (key === this.key) this.container.removeAttribute("aria-busy");
    }
  }

  /** There is no revision yet, or none could be created. */
  none() {
    $("[data-image-total]", this.panel).textContent = "";
    setChildren(
      this.container,
      h(
        "div",
        { class: "panel panel-empty" },
        this.current.busy ? t("The dataset check isn't finished.") : t("No images to show."),
      ),
    );
  }

  async ask(page) {
    if (!this.pages.has(page)) {
      const { order } = this;
      const answer = await get(`${this.current.path}/images`, { ...this.query, page, per_page: PER_PAGE });
      answer.images = answer.images.map((image) => withClass(image, this.current));
      if (order !== this.order) return answer; // the filters changed meanwhile
      this.pages.set(page, answer);
      if (this.pages.size > CACHED_PAGES) this.pages.delete(this.pages.keys().next().value);
    }
    return this.pages.get(page);
  }

  show(answer) {
    const filtered = !$("[data-clear]", this.panel).hidden;
    $("[data-image-total]", this.panel).textContent = filtered
      ? tn("{n} image of {total}", "{n} images of {total}", answer.total, {
          total: number(this.current.data.total_images),
        })
      : tn("{n} image", "{n} images", answer.total);
    showPager($("[data-grid-pager]", this.panel), answer, (page) => {
      change({ page: page > 1 ? page : "" });
      this.panel.scrollIntoView();
    });
    if (answer.images.length) this.grid.show(answer.images);
    else
      setChildren(
        this.container,
        h(
          "div",
          { class: "panel panel-empty" },
          icon("images"),
          " ",
          filtered ? t("No images match these filters.") : t("No images to show."),
        ),
      );
    if (this.pendingFocus) this.focus(this.pendingFocus);
  }

  /** The viewer's order: the images that match the filters, over all pages. */
  get source() {
    const find = (id) => {
      for (const [page, { images }] of this.pages) {
        const index = images.findIndex((image) => image.id === id);
        if (index >= 0) return { page, index };
      }
      return null;
    };
    return {
      record: (id) => {
        const at = find(id);
        return at && this.pages.get(at.page).images[at.index];
      },
      positionOf: (id) => {
        const at = find(id);
        return at && { at: (at.page - 1) * PER_PAGE + at.index + 1, total: this.pages.get(at.page).total };
      },
      neighbour: (id, by, load = true) => this.neighbour(find(id), by, load),
    };
  }

  /** The image `by` steps from an index, on the next page if necessary; null at the ends. */
  async neighbour(index, by, load) {
    if (!index) return this.pages.get(this.page)?.images[0]?.id ?? null;
    const { images, pages } = this.pages.get(index.page);
    const image = images[index.index + by];
    if (image) return image.id;
    const page = index.page + by;
    if (page < 1 || page > pages || (!load && !this.pages.has(page))) return null;
    return (await this.ask(page)).images.at(by > 0 ? 0 : -1)?.id ?? null;
  }

  /** The address of an image with these filters, including its page. */
  located(id) {
    for (const [page, { images }] of this.pages)
      if (images.some((image) => image.id === id)) return { image: id, page: page > 1 ? page : "" };
    return { image: id };
  }

  /** Focus the tile of an image, now or once its page is drawn. */
  focus(id) {
    this.pendingFocus = this.grid.focus(id) ? null : id;
  }
}
