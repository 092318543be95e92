/* The dialogs that change decisions of an import. Each starts a new revision with other options: `send(options)` sends
   the request and resolves to the reason of a refusal, or to nothing. The entered values stay until the server has
   accepted them. */
import { h, icon } from "../lib/dom.js";
import { t, tn } from "../lib/i18n.js";
import { classTag, className } from "./objects.js";
import { formatName, taskName } from "../lib/vocabulary.js";
import { choices, field, question, tick } from "./question.js";
import { askSplit } from "./split_dialog.js";

const ALL = "\0"; // no folder can have this name

function askRoot(current, { value, options }, send) {
  const present = value || "";
  const folders = (options || []).map((item) => (item === "/" ? "" : item));
  const all = { value: ALL, title: t("All of them as one"), help: t("classes with the same name are merged") };
  const root = choices(
    t("Folder"),
    [...folders.map((item) => ({ value: item, title: item || t("the whole ZIP") })), all],
    present,
  );
  const title = t("Use another folder");
  return question(current, send, {
    title,
    body: [h("p", {}, t("The ZIP has several datasets. Dataset to use:")), root.element],
    read: () => {
      const chosen = root.value();
      return (
        chosen !== undefined &&
        chosen !== present && { ...(chosen === ALL ? { merge: true } : { root: chosen, merge: false }), format: null }
      );
    },
  });
}

function askMerge(current, { value = false }, send) {
  const merge = choices(
    t("Datasets"),
    [
      {
        value: "false",
        title: t("Use one dataset"),
        help: t("the outermost, largest complete dataset, or the folder you choose"),
      },
      { value: "true", title: t("Merge all datasets"), help: t("classes with the same name are merged") },
    ],
    String(Boolean(value)),
  );
  return question(current, send, {
    title: t("Several datasets in the ZIP"),
    body: [merge.element],
    read: () => merge.value() !== String(Boolean(value)) && { merge: merge.value() === "true" },
  });
}

function askClasses(current, _change, send) {
  const { classes } = current;
  const text = h("textarea", {
    class: "form-control mono",
    rows: Math.min(14, Math.max(4, classes.length)),
    spellcheck: "false",
  });
  text.value = classes.join("\n");
  const error = h("p", { class: "field-error", role: "alert", hidden: true });
  const read = () => {
    const names = text.value.split("\n").map((name) => name.trim());
    while (names.length && !names.at(-1)) names.pop();
    const enough = names.length >= classes.length && names.every(Boolean);
    error.hidden = enough && new Set(names).size === names.length;
    error.textContent = enough
      ? t("Two names are the same. To merge two classes, use “Rename or merge” instead.")
      : tn("Enter {n} name.", "Enter {n} names, one per line.", classes.length);
    if (!error.hidden) return null;
    return names.join("\n") !== classes.join("\n") && { names };
  };
  return question(current, send, {
    title: t("Class names"),
    read,
    body: [
      h("p", {}, t("One name per line, in class ID order. The first line is class 0.")),
      field(t("Class names"), text),
      error,
    ],
  });
}

/** New names by old ones; two classes with one name are merged. */
function askRename(current, _change, send) {
  const { classes } = current;
  const inputs = classes.map((name, index) =>
    h("input", {
      class: "form-control",
      value: className(classes, index),
      maxlength: 200,
      "aria-label": t("New name for {name}", { name }),
      list: "rename-names",
      oninput: () => summarize(),
    }),
  );
  const summary = h("p", { class: "quiet", role: "status" });
  const named = () => inputs.map((input) => input.value.trim());
  const summarize = () => {
    const names = named();
    const twice = [...new Set(names.filter((name, index) => name && names.indexOf(name) !== index))];
    summary.textContent = twice.length ? t("Merged into one class: {names}", { names: twice.join(", ") }) : "";
  };
  const read = () => {
    const changed = classes.map((name, index) => [name, named()[index]]).filter(([name, to]) => to && to !== name);
    return changed.length > 0 && { rename: Object.fromEntries(changed) };
  };
  return question(current, send, {
    title: t("Rename or merge classes"),
    read,
    body: [
      h("p", {}, t("Use the same name for two classes to merge them.")),
      h(
        "datalist",
        { id: "rename-names" },
        classes.map((name) => h("option", { value: name })),
      ),
      h(
        "div",
        { class: "rename-rows" },
        classes.map((_name, index) =>
          h("div", { class: "rename-row" }, classTag(classes, index), icon("arrow-right"), inputs[index]),
        ),
      ),
      summary,
    ],
  });
}

const TASK_HELP = {
  detect: () => t("bounding boxes"),
  segment: () => t("polygons of objects"),
  pose: () => t("keypoints of objects"),
  obb: () => t("oriented bounding boxes"),
  classify: () => t("one class per image"),
};

const OUTLINES = ["segment", "obb"];
const BOXES_TO_OUTLINES = ["label_box", "mixed_rows"]; // the fixes that do this
const LABEL_FILES = ["yolo", "darknet", "cvat-yolo"]; // from other formats the import itself makes outlines

function askTask(current, { options }, send) {
  const { data } = current;
  const taskOptions = (options?.length > 1 ? options : Object.keys(TASK_HELP)).filter((task) => TASK_HELP[task]);
  const task = choices(
    t("Task"),
    taskOptions.map((value) => ({ value, title: taskName(value), help: TASK_HELP[value]() })),
    data.task,
  );
  const corners = tick(
    t("Convert boxes to four-corner polygons"),
    t("This task needs polygons. Boxes alone aren't enough."),
    true,
  );
  const needed = () => data.task === "detect" && LABEL_FILES.includes(data.format) && OUTLINES.includes(task.value());
  const show = () => {
    corners.element.hidden = !needed();
  };
  task.element.addEventListener("change", show);
  show();
  return question(current, send, {
    title: t("Task of these labels"),
    body: [task.element, corners.element],
    read: () =>
      task.value() !== data.task && {
        task: task.value(),
        ...(needed() && corners.checked && { fixes: BOXES_TO_OUTLINES }),
      },
  });
}

function askFormat(current, { options }, send) {
  const { data } = current;
  const format = choices(
    t("Format"),
    (options || []).map((value) => ({ value, title: formatName(value) })),
    data.format,
  );
  // other folders may contain this format, too
  const folder = typeof data.report?.root === "string" ? { root: data.report.root } : {};
  return question(current, send, {
    title: t("Choose another format"),
    body: [h("p", {}, t("The labels come in several formats. Format to use:")), format.element],
    read: () => format.value() && format.value() !== data.format && { format: format.value(), ...folder },
  });
}

/** By parameter: the text of its button, its position in the menu, and its dialog. */
export const CHANGES = {
  root: {
    label: () => t("Another folder"),
    title: () => t("Use another folder"),
    symbol: "folder2-open",
    ask: askRoot,
  },
  merge: {
    label: () => t("Merge or keep separate"),
    title: () => t("Several datasets in the ZIP"),
    symbol: "union",
    ask: askMerge,
  },
  classes: { label: () => t("Name the classes"), title: () => t("Class names"), symbol: "tags", ask: askClasses },
  names: { label: () => t("Name the classes"), title: () => t("Class names"), symbol: "tags", ask: askClasses },
  rename: {
    label: () => t("Rename or merge"),
    title: () => t("Rename or merge classes"),
    symbol: "pencil",
    ask: askRename,
  },
  split: { label: () => t("New split"), title: () => t("New split"), symbol: "shuffle", ask: askSplit },
  task: { label: () => t("Another task"), title: () => t("Task of these labels"), symbol: "bullseye", ask: askTask },
  format: {
    label: () => t("Another format"),
    title: () => t("Choose another format"),
    symbol: "file-earmark-code",
    ask: askFormat,
  },
};
