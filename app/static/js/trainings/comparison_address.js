/* The state of a comparison, in its page's address, so that it can be shared:
   ?ids=3,5,8&axis=time&charts=map50,loss&all=1&smooth=0.6 */
import { MOST as MOST_SMOOTH } from "../charts/smoothing.js";
import { CHARTS } from "./compared.js";

export const MOST = 10; // runs
const USUAL = ["map50", "map95", "loss", "val_loss"];

/** @param {string} search  the query of an address */
export function parse(search) {
  const parameters = new URLSearchParams(search);
  const ids = (parameters.get("ids") || "")
    .split(",")
    .map(Number)
    .filter((id) => Number.isSafeInteger(id) && id > 0);
  const charts = (parameters.get("charts") || "").split(",").filter((key) => CHARTS.some((chart) => chart.key === key));
  const smooth = Number(parameters.get("smooth"));
  return {
    ids: [...new Set(ids)].slice(0, MOST),
    axis: parameters.get("axis") === "time" ? "time" : "epoch",
    charts: charts.length ? charts : USUAL,
    all: parameters.get("all") === "1",
    smooth: smooth > 0 && smooth <= MOST_SMOOTH ? smooth : 0,
  };
}

/** The query of the state; "" for the page's defaults. */
export function query({ ids, axis, charts, all, smooth }) {
  const pairs = [
    ["ids", ids.join(",")],
    axis === "time" && ["axis", "time"],
    String(charts) !== String(USUAL) && ["charts", charts.join(",")],
    all && ["all", "1"],
    smooth && ["smooth", smooth],
  ].filter((pair) => pair && pair[1]);
  const text = pairs.map(([name, value]) => `${name}=${value}`).join("&");
  return text ? `?${text}` : "";
}
