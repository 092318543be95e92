/* An image to zoom and to pan: wheel, pinch, drag, double click and keys. */
const MOST = 40; // times the fitted size
const STEP = 1.3;

export class Stage {
  /** `container` is the frame, `sheet` what moves in it, `changed(zoom)` is called with each new zoom (1: the image
   *  fits). */
  constructor(container, sheet, changed) {
    this.container = container;
    this.sheet = sheet;
    this.changed = changed;
    this.zoom = 1;
    this.x = 0;
    this.y = 0;
    this.pointers = new Map();
    container.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.at(event, STEP ** (-Math.sign(event.deltaY) * (event.ctrlKey ? 0.5 : 1)));
      },
      { passive: false },
    );
    container.addEventListener("dblclick", (event) => (this.zoom > 1.01 ? this.fit() : this.at(event, 3)));
    container.addEventListener("pointerdown", (event) => this.down(event));
    container.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) container.addEventListener(name, (event) => this.up(event));
  }

  /** Show the whole image again. */
  fit() {
    this.zoom = 1;
    this.x = 0;
    this.y = 0;
    this.draw();
  }

  in() {
    this.scale(STEP);
  }

  out() {
    this.scale(1 / STEP);
  }

  pan(x, y) {
    this.x += x;
    this.y += y;
    this.draw();
  }

  /** Zoom so that the point under the pointer stays there. */
  at({ clientX, clientY }, factor) {
    const frame = this.container.getBoundingClientRect();
    this.scale(factor, clientX - frame.left - frame.width / 2, clientY - frame.top - frame.height / 2);
  }

  /** Zoom around a point, in pixels from the frame's centre. */
  scale(factor, x = 0, y = 0) {
    const zoom = Math.min(MOST, Math.max(1, this.zoom * factor));
    const grown = zoom / this.zoom;
    this.zoom = zoom;
    this.x = x - (x - this.x) * grown;
    this.y = y - (y - this.y) * grown;
    this.draw();
  }

  draw() {
    const limitX = (this.sheet.offsetWidth * this.zoom - this.container.clientWidth) / 2;
    const limitY = (this.sheet.offsetHeight * this.zoom - this.container.clientHeight) / 2;
    this.x = Math.min(Math.max(0, limitX), Math.max(-Math.max(0, limitX), this.x));
    this.y = Math.min(Math.max(0, limitY), Math.max(-Math.max(0, limitY), this.y));
    this.sheet.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.zoom})`;
    this.sheet.style.setProperty("--zoom", this.zoom);
    this.container.classList.toggle("is-zoomed", this.zoom > 1.01);
    this.changed(this.zoom);
  }

  down(event) {
    this.container.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const spread = () => {
      const [one, two] = [...this.pointers.values()];
      return Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY);
    };
    const wide = this.pointers.size === 2 ? spread() : 0;
    this.pointers.set(event.pointerId, event);
    if (wide) {
      const [one, two] = [...this.pointers.values()];
      this.at({ clientX: (one.clientX + two.clientX) / 2, clientY: (one.clientY + two.clientY) / 2 }, spread() / wide);
    } else this.pan(event.clientX - before.clientX, event.clientY - before.clientY);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
  }
}
