/* The detections, as files. */
import { toast } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { save, saveCsv, saveJson } from "./export.js";

/** Downloads of what the page shows: of its images, the video or the camera. */
export class Downloads {
  /**
   * @param {{ pictures: any, bench: any, video: any, camera: any, picker: any }} parts  parts of the page
   * @param {() => string} mode  which of them is looked at
   * @param {() => boolean} comparing  whether two models look at the pictures
   */
  constructor(parts, mode, comparing) {
    this.pictures = parts.pictures;
    this.bench = parts.bench;
    this.video = parts.video;
    this.camera = parts.camera;
    this.picker = parts.picker;
    this.mode = mode;
    this.comparing = comparing;
  }

  /** All detections. */
  rows() {
    const model = this.picker.name;
    if (this.mode() === "video")
      return [...this.video.samples]
        .sort(([a], [b]) => a - b)
        .map(([, sample]) => ({ file: this.video.file?.name, time: sample.at, model, answer: sample }));
    if (this.mode() === "camera") return this.camera.last ? [{ file: "camera", model, answer: this.camera.last }] : [];
    return this.pictures.items.filter(({ state }) => state === "done").flatMap((item) => this.ofPicture(item));
  }

  ofPicture(item) {
    return Object.entries(item.answers).map(([side, answer]) => ({
      file: item.name,
      side: this.comparing() ? side.toUpperCase() : "",
      model: answer.model,
      answer,
    }));
  }

  /** @param {"json" | "csv"} kind */
  table(kind) {
    const rows = this.rows();
    if (rows.length) ({ json: saveJson, csv: saveCsv })[kind](rows, `test-${this.mode()}`);
    else toast(t("Nothing to download yet."));
  }

  /** The selected image, with its detections drawn into it. */
  async picture() {
    const mode = this.mode();
    const viewer = { pictures: this.bench.viewers.a, video: this.video.viewer, camera: this.camera.viewer }[mode];
    if (!viewer?.natural.width) {
      toast(t("Nothing to download yet."));
      return;
    }
    const name = mode === "pictures" ? this.bench.item.name.replace(/\.[^.]+$/, "") : mode;
    save(await viewer.png(), `${name}-found.png`);
  }
}
