/* The tab of the trainings that used the dataset, each with its revision. */
import { get } from "../lib/api.js";
import { $, blank, fillFrom, h, icon, setChildren } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { showPager } from "../ui/pager.js";
import { trainingTable } from "../trainings/tables.js";
import { change } from "./address.js";

export class TrainingsTab {
  constructor(current, panel) {
    this.current = current;
    this.panel = panel;
  }

  changed() {}

  enter(state) {
    const page = Math.max(1, Number.parseInt(state.page, 10) || 1);
    if (page === this.page) return;
    this.page = page;
    this.load();
  }

  load() {
    return fillFrom(
      $("[data-trainings]", this.panel),
      () => get("/api/trainings", { dataset_id: this.current.id, page: this.page, per_page: 20 }),
      (answer, container) => {
        showPager($("[data-trainings-pager]", this.panel), answer, (page) => change({ page: page > 1 ? page : "" }));
        setChildren(
          container,
          answer.trainings.length
            ? trainingTable(answer.trainings, { withDataset: false, actions: (training) => revision(training) })
            : this.none(),
        );
      },
    );
  }

  none() {
    const can = this.current.data?.status === "valid";
    return blank({
      symbol: "graph-up",
      title: t("No runs with this dataset yet"),
      text: can
        ? t("Train on this dataset: sensible defaults are already filled in.")
        : t("Training is possible once the dataset is ready."),
      actions: can
        ? [
            h(
              "a",
              { class: "btn btn-primary", href: `/trainings/new?dataset_id=${this.current.id}` },
              icon("play-fill"),
              " ",
              t("Train on this dataset"),
            ),
          ]
        : [],
    });
  }
}

/** Which revision a training used; trainings from before there were revisions have none. */
const revision = (training) =>
  training.revision &&
  h(
    "span",
    { class: "chip", title: training.dataset_revision || null },
    t("version {n}", { n: number(training.revision) }),
  );
