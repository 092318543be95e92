/* The dialog that splits a dataset again: the shares of each split, and the resulting numbers. */
import { h } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { splitName } from "../lib/vocabulary.js";
import { choices, field, question } from "./question.js";
import { SplitPromise } from "./split_promise.js";

export function askSplit(current, { value }, send) {
  const { data } = current;
  const shares = value && typeof value === "object";
  const back =
    shares &&
    choices(
      t("Split"),
      [
        { value: "anew", title: t("Split ratio") },
        {
          value: "given",
          title: t("As uploaded (original split)"),
          help: t("the split of the upload, or the default ratio if there is none"),
        },
      ],
      "anew",
    );
  const share = (count, usual) => (data.total_images ? Math.round((100 * count) / data.total_images) : usual);
  const start = shares
    ? value
    : {
        train: share(data.train_images, 80),
        val: share(data.val_images, 15),
        test: share(data.test_images, 5),
        seed: 0,
      };
  const input = (name, min) =>
    h("input", {
      class: "form-control",
      type: "number",
      min,
      max: 1000,
      step: "any",
      value: start[name] ?? 0,
      oninput: () => summarize(),
    });
  const parts = { train: input("train", 0), val: input("val", 0), test: input("test", 0) };
  const seed = h("input", { class: "form-control", type: "number", min: 0, step: 1, value: start.seed ?? 0 });
  const promise = new SplitPromise(data);
  const values = () =>
    Object.fromEntries(Object.entries(parts).map(([name, control]) => [name, Math.max(0, Number(control.value) || 0)]));
  const fine = () => values().train > 0 && values().val > 0;
  const chosenOptions = () =>
    back && back.value() === "given" ? null : { ...values(), seed: Math.max(0, Math.round(Number(seed.value) || 0)) };
  const summarize = () =>
    chosenOptions() && !fine()
      ? promise.refuse(t("The training and validation sets can't be empty."))
      : promise.ask(chosenOptions());
  for (const element of [seed, back?.element].filter(Boolean)) element.addEventListener("input", summarize);
  summarize();
  const anew = () => (fine() ? { split: chosenOptions() } : null);
  return question(current, send, {
    title: t("New split"),
    read: () => (back && back.value() === "given" ? { split: null } : anew()),
    body: [
      h(
        "p",
        {},
        t(
          "The model trains on the training set and is evaluated on the validation set after every epoch. " +
            "Training doesn't use the test set: keep it for a final test of your own.",
        ),
      ),
      h(
        "p",
        {},
        t("Classes are distributed evenly. Near-duplicates and images from the same source stay in the same set."),
      ),
      back && back.element,
      h(
        "div",
        { class: "split-fields" },
        Object.entries(parts).map(([name, control]) => field(splitName(name), control)),
        field(t("Seed"), seed),
      ),
      promise.element,
      h("p", { class: "quiet" }, t("The same seed always gives the same split.")),
    ].filter(Boolean),
  });
}
