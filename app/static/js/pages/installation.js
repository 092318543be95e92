/* The possible solutions if the database and the data folder do not belong together. */
import { post } from "../lib/api.js";
import { $, $$, confirmed, failure, setChildren } from "../lib/dom.js";
import { t } from "../lib/i18n.js";

const QUESTIONS = {
  adopt: () => ({
    title: t("Adopt the folders?"),
    text: t(
      "The data folder then belongs to this database. Its previous database can no longer be used with it " +
        "without another decision.",
    ),
    action: t("Adopt the folders"),
    className: "btn-primary",
  }),
  "start-anew": () => ({
    title: t("Start over?"),
    text: t("The datasets and training runs of these folders disappear from the pages until their database returns."),
    action: t("Start over"),
  }),
};

async function decide(button) {
  const way = button.dataset.decide;
  if (!(await confirmed(QUESTIONS[way]()))) return;
  for (const each of $$("[data-decide]")) each.disabled = true;
  try {
    await post(`/api/installation/${way}`);
    window.location.reload();
  } catch (error) {
    setChildren($("[data-failure]"), failure(error));
    for (const each of $$("[data-decide]")) each.disabled = false;
  }
}

for (const button of $$("[data-decide]")) button.addEventListener("click", () => decide(button));
