/* The exponential moving average of curves, as TensorBoard has it: without the pull of its start towards zero. */
import { readPref, savePref } from "../lib/prefs.js";

const NAME = "charts.smoothing";
export const MOST = 0.99;

/** What weight the past has, 0 (the values themselves) to 0.99; `change` tells of a new one. */
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
