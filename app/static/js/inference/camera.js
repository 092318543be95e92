/* The camera: the next frame is sent to the model only after the response to the last one. */
import { $, failure, h, setChildren, toast } from "../lib/dom.js";
import { number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { askAbout, grab } from "./frames.js";
import { Viewer } from "./viewer.js";

const REASONS = {
  insecure: () => [
    t("The browser blocks the camera on this page"),
    t("The camera needs HTTPS or localhost. Set up HTTPS on the server, or open this page on the server machine."),
  ],
  NotAllowedError: () => [
    t("Camera access was denied"),
    t("Allow the camera in the browser (camera icon next to the address), then try again."),
  ],
  NotFoundError: () => [t("No camera found"), t("Connect a camera, then try again.")],
  NotReadableError: () => [
    t("The camera is in use"),
    t("Another program is using the camera. Close it, then try again."),
  ],
  OverconstrainedError: () => [t("This camera is no longer available"), t("Choose another camera, then try again.")],
};

export class CameraView {
  /** `onPicture(file)` adds a snapshot to the images. */
  constructor(picker, onFrame, onPicture) {
    this.picker = picker;
    this.onFrame = onFrame;
    this.onPicture = onPicture;
    this.stream = null;
    this.running = null;
    this.last = null;
    this.times = [];
    $("[data-camera-start]").addEventListener("click", () => this.start());
    $("[data-camera-stop]").addEventListener("click", () => this.stop());
    $("[data-camera-keep]").addEventListener("click", () => this.capture());
    $("[data-camera-choice]").addEventListener("change", () => {
      this.stop();
      this.start();
    });
    window.addEventListener("pagehide", () => this.stop());
  }

  async start() {
    const notice = $("[data-camera-notice]");
    setChildren(notice);
    try {
      if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia)
        throw Object.assign(new Error(), { name: "insecure" });
      const chosen = $("[data-camera-choice]").value;
      this.stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: {
          width: { ideal: 1280 },
          ...(chosen ? { deviceId: { exact: chosen } } : { facingMode: "environment" }),
        },
      });
    } catch (error) {
      const [title, detail] = (REASONS[error.name] || (() => [t("The camera can't be used"), error.message]))();
      setChildren(
        notice,
        failure({ title, detail }, () => this.start()),
      );
      return;
    }
    this.stream.getVideoTracks()[0].addEventListener("ended", () => this.stop());
    const video = h("video", { playsinline: true, muted: true });
    Object.assign(video, { muted: true, srcObject: this.stream });
    await video.play().catch(() => {});
    this.viewer?.end();
    this.viewer = new Viewer($("[data-camera-figure]"), video);
    this.switch(true);
    this.listCameras();
    this.loop(video);
  }

  /** Browsers give their names only after one was allowed. */
  async listCameras() {
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    const choice = $("[data-camera-choice]");
    const now = this.stream?.getVideoTracks()[0].getSettings().deviceId;
    setChildren(
      choice,
      cameras.map(({ deviceId, label }, index) =>
        h("option", { value: deviceId }, label || t("Camera {number}", { number: index + 1 })),
      ),
    );
    if (now) choice.value = now;
    choice.hidden = cameras.length < 2;
  }

  switch(on) {
    $("[data-camera-idle]").hidden = on;
    $("[data-camera-bench]").hidden = !on;
  }

  async loop(video) {
    const running = new AbortController();
    this.running = running;
    this.times = [];
    $("[data-camera-figures]").textContent = t("Analyzing…"); // the first response waits for the model to load
    while (this.running === running) {
      try {
        const frame = await grab(video);
        if (!frame) {
          await new Promise((resolve) => {
            setTimeout(resolve, 50);
          });
          continue;
        }
        const sent = performance.now();
        const answer = await askAbout(frame, this.picker, running.signal);
        if (this.running !== running) return;
        this.last = { ...answer, blob: frame.blob };
        this.viewer.show(answer.detections, answer.size);
        this.onFrame(this.last);
        this.figures(performance.now() - sent, answer.time);
      } catch (error) {
        if (this.running !== running || running.signal.aborted) return;
        this.stop();
        setChildren(
          $("[data-camera-notice]"),
          failure(error, () => this.start()),
        );
        return;
      }
      while (document.hidden && this.running === running)
        await new Promise((resolve) => {
          setTimeout(resolve, 300);
        });
    }
  }

  figures(wait, model) {
    const now = performance.now();
    this.times = [...this.times.filter((time) => now - time < 3000), now];
    if (this.times.length < 2) return; // a single frame has no rate
    const rate = (this.times.length - 1) / ((now - this.times[0]) / 1000);
    $("[data-camera-figures]").textContent = t(
      "Images per second: {rate} · from image to result: {wait} ms, {model} ms of it in the model",
      { rate: number(rate, 1), wait: number(wait), model: number(model) },
    );
  }

  capture() {
    if (!this.last) return;
    const name = `${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.jpg`;
    this.onPicture(new File([this.last.blob], name, { type: "image/jpeg" }));
    toast(t("Added to the images."), "success");
  }

  stop() {
    this.running?.abort();
    this.running = null;
    for (const track of this.stream?.getTracks() || []) track.stop();
    this.stream = null;
    this.switch(false);
  }

  refresh() {
    this.viewer?.draw();
    if (this.running && this.last) this.onFrame(this.last);
  }
}
