/* The tables of Account and of the audit log. */

import { h } from "../lib/dom.js";

/** A list of users, tokens or entries; cards on a phone. @param {string[]} heads @param {any[]} rows */
export const accountTable = (heads, rows) =>
  h(
    "div",
    { class: "table-wrap" },
    h(
      "table",
      { class: "list is-cards account-table" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((head) => h("th", { scope: "col" }, head)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
