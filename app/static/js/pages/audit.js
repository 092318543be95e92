/* The audit log: the newest entries, and a button for older ones. */
import { get } from "../lib/api.js";
import { $, button, failure, fillFrom, h, icon, setChildren } from "../lib/dom.js";
import { dateTime } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { accountTable } from "../ui/account_table.js";

/** State, icon, word. @type {Record<string, [string, string, () => string]>} */
const RESULTS = {
  done: ["completed", "check-circle-fill", () => t("Completed")],
  refused: ["warning", "slash-circle", () => t("Refused")],
  failed: ["failed", "x-octagon-fill", () => t("Failed")],
};

/** @param {any} entry */
function user({ name, via, action }) {
  if (name) return name;
  if (action === "audit.make_room") return h("span", { class: "quiet" }, t("This server"));
  return h("span", { class: "quiet" }, via ? t("Owner of this installation") : t("Not logged in"));
}

/** @param {any} entry */
function row(entry) {
  const [state, symbol, word] = RESULTS[entry.result];
  const created = Object.entries(entry.created).map(([name, id]) => `${name} ${id}`);
  return h(
    "tr",
    {},
    h("td", {}, dateTime(entry.time)),
    h("td", {}, user(entry)),
    h(
      "td",
      {},
      h("code", {}, `${entry.method} ${entry.path}`),
      created.length ? h("div", { class: "quiet" }, created.join(", ")) : null,
    ),
    h("td", { class: "quiet" }, entry.address ?? "–"),
    h(
      "td",
      {},
      h("span", { class: `badge-status status-${state}` }, icon(symbol), word()),
      " ",
      h("span", { class: "quiet" }, entry.reason ? `${entry.status} ${entry.reason}` : entry.status),
    ),
  );
}

const heads = () => [t("Date"), t("User"), t("Action"), t("Address"), t("Result")];

const filter = () => Object.fromEntries(new FormData($("[data-filter]")));

/** A button for entries older than these. @param {string | null} before */
function offerMore(before) {
  const container = $("[data-more]");
  const loadOlder = async () => {
    try {
      const { entries, next } = await get("/api/audit", { ...filter(), before });
      $("[data-entries] tbody").append(...entries.map(row));
      offerMore(next);
    } catch (error) {
      setChildren(container, failure(error, loadOlder));
    }
  };
  setChildren(
    container,
    before ? button("chevron-down", t("Show older entries"), loadOlder, "btn-outline btn-sm") : null,
  );
}

function load() {
  setChildren($("[data-more]"));
  return fillFrom(
    $("[data-entries]"),
    () => get("/api/audit", filter()),
    ({ entries, next }, container) => {
      setChildren(
        container,
        entries.length ? accountTable(heads(), entries.map(row)) : h("p", { class: "panel-empty" }, t("No entries.")),
      );
      offerMore(next);
    },
  );
}

$("[data-filter]").addEventListener("submit", (event) => {
  event.preventDefault();
  load();
});
load();
