/* The form of a file before it is uploaded. */
import { h, icon } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { TASKS, taskName } from "../lib/vocabulary.js";

let serial = 0;

function field(label, control) {
  control.id = `upload-${control.name}-${(serial += 1)}`;
  return h("div", { class: "field" }, h("label", { class: "form-label", for: control.id }, label), control);
}

const input = (name, attributes) => h("input", { class: "form-control", name, autocomplete: "off", ...attributes });

/** The form of a file; `before`: the values of the last attempt. */
export function uploadForm(file, before, { send, cancel }) {
  const was = (name, usual = "") => before?.get(name) ?? usual;
  const task = h(
    "select",
    { class: "form-select", name: "task" },
    h("option", { value: "auto" }, t("Detect from the labels")),
    TASKS.map((name) => h("option", { value: name }, taskName(name))),
  );
  task.value = was("task", "auto");
  const form = h(
    "form",
    {
      class: "upload-form",
      onsubmit: (event) => {
        event.preventDefault();
        send(new FormData(form));
      },
    },
    field(
      t("Name"),
      input("name", {
        value: was("name", file.name.replace(/\.zip$/i, "").slice(0, 100)),
        maxlength: 100,
        required: true,
      }),
    ),
    field(t("Description (optional)"), input("description", { value: was("description"), maxlength: 5000 })),
    field(
      t("Classes, if there is no data.yaml"),
      input("classes", { value: was("classes"), placeholder: t("car, truck, bus") }),
    ),
    field(t("Task"), task),
    h(
      "div",
      { class: "page-actions" },
      h("button", { class: "btn btn-outline", type: "button", onclick: cancel }, t("Cancel")),
      h("button", { class: "btn btn-primary", type: "submit" }, icon("upload"), " ", t("Upload")),
    ),
  );
  return form;
}
