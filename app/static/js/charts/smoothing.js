/* The exponential moving average of curves, as in TensorBoard: without the bias of its start towards zero. */
import { readPref, savePref } from "../lib/prefs.js";

const NAME = "charts.smoothing";
export const MOST = 0.99;

/** The weight of the past, 0 (the unsmoothed values) to 0.99; event `change` for a new one. */
class Smoothing extends EventTarget {
  weight = Math.min(MOST, Math.max(0, Number(readPref(NAME, 0)) || 0));

  set(weight) {
    this.weight = weight;
    savePref(NAME, weight);
    this.dispatchEvent(new Event("change"));
  }
}

export const smoothing = new Smoothing();

/** Takes one value after the other; gaps (null) stay gaps. */
export class Average {
  constructor(weight) {
    this.weight = weight;
    this.sum = 0;
    this.mass = 0;
  }

  next(value) {
    if (value === null || value === undefined || !Number.isFinite(value)) return null;
    this.sum = this.sum * this.weight + (1 - this.weight) * value;
    this.mass = this.mass * this.weight + (1 - this.weight);
    return this.sum / this.mass;
  }
}
