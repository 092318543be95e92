/* An EventTarget whose listeners receive an event's payload. */
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
