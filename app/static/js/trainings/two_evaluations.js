/* Another evaluation beside this one, on the same images: the difference, its uncertainty, and the images behind it. */
import { get } from "../lib/api.js";
import { $, failure, h, setChildren } from "../lib/dom.js";
import { ago, fixed, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { lightbox } from "../ui/lightbox.js";
import { showPager } from "../ui/pager.js";
import { pagesOf } from "../ui/pages.js";
import { checkpointText } from "./evaluated.js";
import { marked } from "./placed.js";

const PER_PAGE = 12;
const NAMES = { map50: () => "mAP50", map95: () => "mAP50-95", top1: () => t("Accuracy (top-1)") };

export class TwoEvaluations {
  constructor(panel, { address, task, names }) {
    this.panel = panel;
    this.address = address;
    this.task = task;
    this.names = names;
    this.select = $("[data-other]", panel);
    this.page = 1;
    this.latest = 0;
    this.select.addEventListener("change", () => {
      this.page = 1;
      this.load();
    });
    this.offer();
  }

  /** The evaluations of the same split. Without any there is nothing to compare. */
  async offer() {
    const comparable = await get(`${this.address}/compare`).catch(() => ({ evaluations: [] }));
    this.panel.hidden = !comparable.evaluations.length;
    this.select.append(
      ...comparable.evaluations.map((item) =>
        h(
          "option",
          { value: String(item.id) },
          [item.training_name, checkpointText(item.checkpoint), ago(item.created_at)].join(" · "),
        ),
      ),
    );
  }

  async load() {
    const turn = (this.latest += 1);
    const container = $("[data-compared]", this.panel);
    const other = this.select.value;
    if (!other) {
      setChildren(container);
      setChildren($("[data-compared-pager]", this.panel));
      return;
    }
    container.setAttribute("aria-busy", "true");
    try {
      const comparison = await get(`${this.address}/compare/${other}?page=${this.page}&per_page=${PER_PAGE}`);
      if (turn !== this.latest) return;
      this.list = comparison;
      this.draw(container, comparison);
    } catch (error) {
      if (turn === this.latest)
        setChildren(
          container,
          failure(error, () => this.load()),
        );
    } finally {
      if (turn === this.latest) container.removeAttribute("aria-busy");
    }
  }

  draw(container, answer) {
    const { counts, images } = answer;
    showPager($("[data-compared-pager]", this.panel), answer, (page) => {
      this.page = page;
      this.load();
    });
    const entry = (label, value, note) =>
      h("div", {}, h("dt", {}, label), h("dd", {}, value, note && h("small", {}, note)));
    setChildren(
      container,
      h("p", { class: "evaluated-verdict" }, answer.message),
      h(
        "dl",
        { class: "evaluated-figures" },
        Object.entries(answer.difference).map(([name, { value, low, high }]) =>
          entry(
            t("Difference of {metric}", { metric: NAMES[name]() }),
            signed(value),
            t("{low} to {high} (95%)", { low: signed(low), high: signed(high) }),
          ),
        ),
        entry(t("Images without errors in both"), number(counts.both)),
        entry(t("In this one only"), number(counts.this)),
        entry(t("In the other only"), number(counts.other)),
        entry(t("In neither"), number(counts.neither)),
      ),
      images.length
        ? h(
            "div",
            { class: "previews evaluated" },
            images.map((image, index) => this.tile(image, () => this.open(index))),
          )
        : h("p", { class: "panel-empty" }, t("No image is correct in one of the two only.")),
    );
  }

  tile(image, open) {
    return h(
      "button",
      { class: "preview preview-open", type: "button", title: image.file, onclick: open },
      h("img", { src: image.thumbnail, alt: image.file, loading: "lazy", class: "shapes" }),
      h("span", { class: "under" }, errors(image)),
      h("span", { class: "under" }, image.file.split("/").pop()),
    );
  }

  open(start) {
    lightbox(this.items(), start, pagesOf(this, PER_PAGE));
  }

  /** The images of the page, for the lightbox. */
  items() {
    const { images, other } = this.list;
    return images.map((image) => ({
      title: image.file,
      body: () => [
        h(
          "div",
          { class: "evaluated-pair" },
          this.half(t("This evaluation"), this.address, image),
          this.half(t("The other evaluation"), `/api/evaluations/${other.id}`, image),
        ),
        h("p", {}, errors(image)),
      ],
    }));
  }

  /** One side: the image in that evaluation. */
  half(label, address, image) {
    const figure = h("figure", {}, h("figcaption", {}, label));
    get(`${address}/images?${new URLSearchParams({ search: image.file, per_page: "1" })}`)
      .then(({ images: [counterpart] }) => counterpart && figure.prepend(marked(counterpart, counterpart.url, this)))
      .catch((error) => figure.prepend(failure(error)));
    return figure;
  }
}

const signed = (value) => `${value > 0 ? "+" : ""}${fixed(value, 3)}`;

const errors = ({ this_errors: mine, other_errors: theirs }) =>
  t("errors: {mine}, in the other {theirs}", { mine: number(mine), theirs: number(theirs) });
