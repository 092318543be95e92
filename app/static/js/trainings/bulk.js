/* The same action on many trainings: a few at a time, with one message about the result. */
import { newKey, post, remove } from "../lib/api.js";
import { confirmed, toast } from "../lib/dom.js";
import { t, tn } from "../lib/i18n.js";

const AT_ONCE = 4;

/** Call it for each; {done, failed: [[training, error]]}. */
async function each(trainings, act) {
  const waiting = [...trainings];
  const completed = [];
  const failed = [];
  const work = async () => {
    while (waiting.length) {
      const training = waiting.shift();
      try {
        await act(training);
        completed.push(training);
      } catch (error) {
        failed.push([training, error]);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done: completed, failed };
}

const ask = (name) => (training) => post(`/api/trainings/${training.id}/${name}`, undefined, newKey());

/** Show which ones refused, and the reason of the first one. */
function reportFailed(failed) {
  if (!failed.length) return;
  const [[training, error]] = failed;
  const rest = failed.length > 1 ? ` ${tn("And {n} more.", "And {n} more.", failed.length - 1)}` : "";
  toast(`“${training.name}”: ${error.detail || error.title || error}${rest}`, "failed");
}

async function run(trainings, name, text, afterwards) {
  const result = await each(trainings, ask(name));
  if (result.done.length) toast(text(result.done.length), "success");
  reportFailed(result.failed);
  await afterwards();
}

export const pauseAll = (trainings, afterwards) =>
  run(trainings, "pause", (n) => tn("Pausing {n} run.", "Pausing {n} runs.", n), afterwards);

export async function stopAll(trainings, afterwards) {
  const title = tn("Stop {n} run?", "Stop {n} runs?", trainings.length);
  if (!(await confirmed({ title, text: t("The weights of the best epoch so far are kept."), action: t("Stop") })))
    return;
  await run(trainings, "stop", (n) => tn("Stopping {n} run.", "Stopping {n} runs.", n), afterwards);
}

/** Move them into the trash, with an undo for all of them. */
export async function deleteAll(trainings, afterwards) {
  const { done: removed, failed } = await each(trainings, ({ id }) => remove(`/api/trainings/${id}`));
  const undo = async () => {
    const { done: back, failed: lost } = await each(removed, ask("restore"));
    if (back.length) toast(tn("{n} run restored.", "{n} runs restored.", back.length), "success");
    reportFailed(lost);
    await afterwards();
  };
  if (removed.length)
    toast(tn("{n} run moved to the trash.", "{n} runs moved to the trash.", removed.length), "info", {
      label: t("Undo"),
      act: undo,
    });
  reportFailed(failed);
  await afterwards();
}

export const compareAll = async (trainings) =>
  window.location.assign(`/compare?ids=${trainings.map(({ id }) => id).join(",")}`);
