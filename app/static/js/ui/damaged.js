/* Files of the data folder that could not be read: shown where they belong. */
import { $, h, icon } from "../lib/dom.js";
import { tn } from "../lib/i18n.js";

/** Above `container`; hidden if nothing is damaged. */
export function showDamaged(container, names) {
  $(".damaged", container.parentElement)?.remove();
  if (!names?.length) return;
  container.before(
    h(
      "div",
      { class: "notice is-warning damaged", role: "status" },
      icon("file-earmark-x"),
      h(
        "p",
        { class: "notice-text" },
        tn("{n} damaged file was moved away: {names}.", "{n} damaged files were moved away: {names}.", names.length, {
          names: names.join(", "),
        }),
      ),
    ),
  );
}
