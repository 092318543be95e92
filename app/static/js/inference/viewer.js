/* An image or a video with its detections drawn over it. */
import { h, setChildren } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { sharpContext } from "../ui/marks.js";
import { draw } from "./detections.js";
import { settings } from "./settings.js";

export class Viewer {
  /** `container` is filled with `media` (img or video), the canvas over it, and `caption` below. */
  constructor(container, media, caption = null) {
    this.media = media;
    this.canvas = h("canvas", { class: "test-canvas", role: "img" });
    this.detections = [];
    this.size = null;
    this.styleOf = () => ({});
    this.box = h("div", { class: "test-media" }, media, this.canvas);
    setChildren(container, this.box, caption && h("figcaption", { class: "test-caption" }, caption));
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(media);
    for (const event of ["load", "loadedmetadata"])
      media.addEventListener(event, () => {
        this.fit();
        this.draw();
      });
    this.fit();
  }

  get natural() {
    return {
      width: this.media.naturalWidth || this.media.videoWidth || 0,
      height: this.media.naturalHeight || this.media.videoHeight || 0,
    };
  }

  /** As large as there is room, but at most four times its size. */
  fit() {
    const { width, height } = this.natural;
    if (!width) return;
    this.box.style.setProperty("--ratio", width / height);
    this.box.style.setProperty("--most", `${width * 4}px`);
  }

  /** The detections in an image of `size` {width, height}; `styleOf`: of detections.js. */
  show(detections, size = null, styleOf = () => ({})) {
    this.detections = detections || [];
    this.size = size;
    this.styleOf = styleOf;
    this.draw();
  }

  mark(item) {
    this.marked = item;
    this.draw();
  }

  get visible() {
    return settings.visible(this.detections);
  }

  draw() {
    const [width, height] = [this.media.clientWidth, this.media.clientHeight];
    const visible = this.visible;
    this.canvas.dataset.drawn = this.natural.width ? visible.length : 0;
    this.canvas.setAttribute("aria-label", this.words(visible));
    if (!width || !height) return;
    this.paint(sharpContext(this.canvas, width, height), visible, width, height);
  }

  paint(context, visible, width, height) {
    const imageWidth = this.size?.width || this.natural.width;
    if (imageWidth)
      draw(context, visible, {
        scale: width / imageWidth,
        width,
        height,
        labels: settings.labels,
        marked: this.marked,
        styleOf: this.styleOf,
      });
  }

  /** A text alternative to the canvas. */
  words(visible) {
    if (!visible.length) return t("No detections");
    const counts = new Map();
    for (const { class: name } of visible) counts.set(name, (counts.get(name) || 0) + 1);
    const list = [...counts].map(([name, count]) => `${name}: ${number(count)}`).join(", ");
    return `${tn("{n} object detected", "{n} objects detected", visible.length)}. ${list}`;
  }

  /** The image with the present drawing, in its own size, as a Blob. */
  async png() {
    const { width, height } = this.natural;
    const canvas = h("canvas");
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.drawImage(this.media, 0, 0, width, height);
    this.paint(context, this.visible, width, height);
    return new Promise((resolve) => {
      canvas.toBlob(resolve, "image/png");
    });
  }

  end() {
    this.watch.disconnect();
  }
}

/** The image element of a viewer; `failed` is called if the browser cannot show it. */
export function picture(url, alt, failed) {
  const image = h("img", { alt });
  image.addEventListener("error", failed);
  image.src = url;
  return image;
}
