/* Files of the data folder that could not be read: what they belong to says so. */
import { $, h, icon } from "./dom.js";
import { tn } from "./i18n.js";

/** Above `place`; nothing where nothing is damaged. */
export function showDamaged(place, names) {
  $(".damaged", place.parentElement)?.remove();
  if (!names?.length) return;
  place.before(h("div", { class: "notice is-warning damaged", role: "status" }, icon("file-earmark-x"),
    h("p", { class: "notice-text" }, tn("{n} damaged file was moved away: {names}.", "{n} damaged files were moved away: {names}.", names.length, { names: names.join(", ") }))));
}
