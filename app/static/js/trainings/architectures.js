/* The models beyond YOLOv8's five, and the devices of this machine, as choices of a form. */
import { get } from "../lib/api.js";
import { h, setChildren } from "../lib/dom.js";
import { t, tn } from "../lib/i18n.js";

/** The tasks that can be trained on a dataset of a task: polygons give boxes and oriented boxes, keypoints come with a
 *  box. */
export const LEARNABLE = {
  detect: ["detect"],
  segment: ["segment", "detect", "obb"],
  pose: ["pose", "detect"],
  obb: ["obb", "detect", "segment"],
  classify: ["classify"],
};

const TASK_NAMES = {
  detect: () => t("boxes"),
  segment: () => t("polygons"),
  pose: () => t("keypoints"),
  obb: () => t("oriented boxes (OBB)"),
  classify: () => t("image classes"),
};

export const taskName = (task) => TASK_NAMES[task]?.() || task;

/** All of them; none if the request fails. */
export async function listArchitectures() {
  try {
    return (await get("/api/architectures")).architectures;
  } catch {
    return [];
  }
}

/** Fill the choice with the models for the dataset's task, by family. */
export function fitting(select, architectures, datasetTask) {
  const before = select.value;
  const tasks = LEARNABLE[datasetTask] || LEARNABLE.detect;
  const matches = tasks.flatMap((task) => architectures.filter((item) => item.task === task));
  const groups = new Map();
  for (const item of matches) {
    const name = `${item.family} · ${TASK_NAMES[item.task]?.() || item.task}`;
    groups.set(name, [...(groups.get(name) || []), item]);
  }
  setChildren(
    select,
    select.options[0],
    [...groups].map(([label, items]) =>
      h(
        "optgroup",
        { label },
        items.map((item) => h("option", { value: item.name }, item.name)),
      ),
    ),
  );
  select.value = matches.some(({ name }) => name === before) ? before : "";
  select.closest(".other-models").hidden = !matches.length;
}

/** Add this machine's GPUs: each, and all of them at once. */
export async function listDevices(select) {
  try {
    const { gpus = [] } = await get("/api/system");
    select.append(...gpus.map((gpu, index) => h("option", { value: String(index) }, `GPU ${index}: ${gpu.name}`)));
    if (gpus.length > 1)
      select.append(
        h(
          "option",
          { value: gpus.map((_gpu, index) => index).join(",") },
          tn("{n} GPU", "all {n} GPUs together", gpus.length),
        ),
      );
  } catch {
    /* automatic and the CPU remain */
  }
}
