/* What the reader is allowed to do, so that no button is shown that would be refused. The server decides in any
   case. */

const { role = "admin", account = "" } = document.documentElement.dataset ?? {};

/** @typedef {{created_by?: {id: number} | null}} Thing */

/** Whether they may change it. @param {Thing} item */
export const mayChange = (item) =>
  role === "admin" || (role === "trainer" && String(item.created_by?.id ?? "") === account);

/** Whether they may change something that belongs to this page's run or dataset: it is theirs, or the page's object is.
 *  @param {Thing} item */
export const mayChangeHere = (item) =>
  mayChange(item) || (role === "trainer" && document.querySelector("main")?.dataset.owned === "trainer");

/** Whether they may upload, train, test, evaluate and export. */
export const mayTrain = role !== "viewer";

/** The actions on a run that are possible now and allowed. @param {Thing & {actions: string[]}} training */
export const actionsOf = (training) =>
  training.actions.filter((name) => (name === "clone" ? mayTrain : mayChange(training)));
