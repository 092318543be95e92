/* A model's detections in the preview images after each epoch, and the colours of the classes. */
import { get } from "../lib/api.js";
import { h, longName } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { classColour } from "../ui/palette.js";

const REMEMBERED = 400; // epochs
const MOST_KEYS = 12; // classes

/** Each epoch is requested once; the latest are cached. */
export class EpochDetections {
  /** @param {number} id of the run */
  constructor(id) {
    this.id = id;
    this.epochs = new Map();
  }

  /** @param {number | null} epoch */
  has(epoch) {
    return this.epochs.has(epoch);
  }

  /** By image; empty if nothing is known. @param {number | null} epoch */
  of(epoch) {
    return this.epochs.get(epoch) || [];
  }

  /** @param {number | null} epoch null: there is none yet */
  async load(epoch) {
    if (epoch === null || this.has(epoch)) return;
    try {
      this.remember(await get(`/api/trainings/${this.id}/previews/${epoch}`));
    } catch {
      /* it was thinned out meanwhile: the image is shown without */
    }
  }

  /** @param {{epoch: number, images: any[]}} answer */
  remember({ epoch, images }) {
    this.epochs.set(epoch, images);
    if (this.epochs.size > REMEMBERED) this.epochs.delete(this.epochs.keys().next().value);
  }

  /** @param {number | undefined} epoch */
  forget(epoch) {
    this.epochs.delete(epoch);
  }
}

/** The colours of the classes, since small images have no room for every name. */
export function classKey({ names, task }) {
  const list = Object.entries(names).map(([number_, name]) => [Number(number_), name]);
  if (task === "classify" || list.length < 2) return null;
  const more = list.length - MOST_KEYS;
  return h(
    "p",
    { class: "preview-key" },
    list
      .slice(0, MOST_KEYS)
      .map(([number_, name]) =>
        h(
          "span",
          { title: name },
          h("span", { class: "key-square", style: { background: classColour(number_) } }),
          longName(name),
        ),
      ),
    more > 0 && h("span", {}, `+${number(more)}`),
  );
}
