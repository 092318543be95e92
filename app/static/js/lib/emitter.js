/* Something that others listen to: an EventTarget whose listeners are handed what an event carries. */
export class Emitter extends EventTarget {
  /** @param {string} name @param {(detail: any) => void} handler */
  on(name, handler) {
    this.addEventListener(name, (event) => handler(/** @type {CustomEvent} */ (event).detail));
    return this;
  }

  /** @param {string} name @param {any} [detail] */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
