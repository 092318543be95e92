/* A video: frames at a chosen rate are sent to the model; its detections are drawn over the playback. */
import { upload } from "../lib/api.js";
import { $, button, failure, h, icon, setChildren } from "../lib/dom.js";
import { duration, number } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { bar, moveBar } from "../ui/status.js";
import { askAbout, grab, keyOf } from "./frames.js";
import { Timeline } from "./timeline.js";
import { Viewer } from "./viewer.js";

const event = (target, name, limit = 8000) =>
  new Promise((resolve, fail) => {
    const timer = setTimeout(() => fail(new Error(name)), limit);
    target.addEventListener(
      name,
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });

export class VideoView {
  /** `picker` of the model; `onFrame(sample)` is called with the present frame's sample. */
  constructor(root, picker, onFrame) {
    this.root = root;
    this.picker = picker;
    this.onFrame = onFrame;
    this.file = null;
    this.samples = new Map();
    this.running = null;
    this.length = 0;
    this.rateChoice = $("[data-rate]");
    this.action = $("[data-analyse]");
    this.action.addEventListener("click", () => (this.running ? this.stop() : this.analyse()));
    this.rateChoice.addEventListener("change", () => this.forget());
    this.timeline = new Timeline((time) => {
      if (this.player) this.player.currentTime = time;
    });
    setChildren($("[data-timeline]"), this.timeline.canvas);
  }

  get rate() {
    return Number(this.rateChoice.value);
  }

  /** Show a video. `converted`: by the server, from one that the browser cannot play. */
  async load(file, converted = false) {
    this.stop();
    this.sending?.abort();
    this.sending = null;
    if (this.url) URL.revokeObjectURL(this.url);
    this.viewer?.end();
    this.file = file;
    this.url = URL.createObjectURL(file);
    this.samples = new Map();
    this.viewer = null;
    this.before = undefined;
    this.touched = false;
    this.fresh = 0;
    const make = (controls) => h("video", { src: this.url, muted: true, playsinline: true, preload: "auto", controls });
    this.player = make(true);
    this.probe = make(false);
    this.probe.muted = true;
    setChildren($("[data-video-notice]"));
    try {
      const wrong = event(this.probe, "error", 3600_000).then(() => Promise.reject(new Error("unreadable")));
      wrong.catch(() => {});
      await Promise.race([event(this.probe, "loadeddata", 20_000), wrong]);
      this.length = await lengthOf(this.probe);
      if (!this.probe.videoWidth) throw new Error("no picture");
    } catch {
      if (this.file !== file) return;
      if (converted) this.refuse(file, t("Convert it, for example with ffmpeg, and try again."));
      else await this.convert(file);
      return;
    }
    if (this.file !== file) return; // another one was chosen meanwhile
    this.viewer = new Viewer($("[data-video-figure]"), this.player, file.name);
    for (const name of ["timeupdate", "seeked", "play"])
      this.player.addEventListener(name, () => this.follow(name === "play"));
    $("[data-video-drop]").hidden = true;
    $("[data-video-bench]").hidden = false;
    this.progress();
    this.show();
    this.analyse();
  }

  /** The server decodes a video that the browser cannot, and returns it as WebM. */
  async convert(file) {
    $("[data-video-drop]").hidden = $("[data-video-bench]").hidden = true;
    const text = h("span", { class: "tabular" }, t("Uploading the video…"));
    const progress = bar(null, "", t("Converting the video"));
    const cancel = button("x-lg", t("Cancel"), async () => this.sending?.abort(), "btn-outline btn-sm");
    setChildren(
      $("[data-video-notice]"),
      h(
        "div",
        { class: "video-converting", role: "status" },
        h("p", {}, t("The browser can't play “{name}”. The server is converting it.", { name: file.name })),
        progress,
        h("div", { class: "video-converting-row" }, text, cancel),
      ),
    );
    const form = new FormData();
    form.append("file", file, file.name);
    this.sending = upload(
      "/api/tests/videos",
      form,
      ({ sent, total }) => {
        if (sent < total) moveBar(progress, sent / total);
        else {
          setChildren(text, t("Decoding on the server…"));
          progress.classList.add("is-open");
          progress.removeAttribute("aria-valuenow");
          progress.firstElementChild.style.width = "";
        }
      },
      "blob",
    );
    const request = this.sending;
    try {
      const video = await request.done;
      if (this.file !== file) return;
      const cut = request.header("X-Video-Cut") === "true";
      await this.load(new File([video], file.name, { type: "video/webm" }), true);
      if (cut)
        setChildren(
          $("[data-video-notice]"),
          h(
            "div",
            { class: "notice is-warning", role: "status" },
            icon("scissors"),
            h(
              "div",
              { class: "notice-text" },
              t("The video is long: only its first {time} were converted.", {
                time: duration(Number(request.header("X-Video-Seconds"))),
              }),
            ),
          ),
        );
    } catch (error) {
      if (this.file === file) this.refuse(file, error.errors?.[0]?.message || error.detail || error.title);
    } finally {
      if (this.sending === request) this.sending = null;
    }
  }

  refuse(file, detail) {
    setChildren(
      $("[data-video-notice]"),
      failure({ title: t("“{name}” can't be used", { name: file.name }), detail }, null),
    );
    $("[data-video-drop]").hidden = false;
    $("[data-video-bench]").hidden = true;
    this.file = null;
    this.onFrame(null);
  }

  /** Another rate, model or IoU: earlier detections no longer apply. */
  forget() {
    this.stop();
    this.samples = new Map();
    if (this.file) {
      this.progress();
      this.show();
    }
  }

  stop() {
    this.running?.abort();
    this.running = null;
  }

  /** Analyze each frame in turn, except those already analyzed. */
  async analyse() {
    if (!this.file || !this.picker.ready) return;
    const running = new AbortController();
    this.running = running;
    this.key = keyOf(this.picker);
    this.began = performance.now();
    this.fresh = 0;
    setChildren($("[data-video-notice]"));
    const { rate } = this;
    const last = Math.floor(Math.max(0, this.length - 0.01) * rate);
    try {
      for (let index = 0; index <= last && this.running === running; index += 1) {
        if (!this.samples.has(index)) await this.analyseFrame(index, index / rate, running.signal);
        this.progress();
      }
    } catch (error) {
      if (this.running === running && !running.signal.aborted)
        setChildren(
          $("[data-video-notice]"),
          failure(
            error.title
              ? error
              : {
                  title: t("The video can't be read at this position"),
                  detail: t("Convert the video, for example with ffmpeg, and try again."),
                },
            () => this.analyse(),
          ),
        );
    }
    if (this.running === running) this.running = null;
    this.progress();
  }

  async analyseFrame(index, time, signal) {
    if (Math.abs(this.probe.currentTime - time) > 0.001) {
      this.probe.currentTime = time;
      await event(this.probe, "seeked");
    }
    const frame = await grab(this.probe);
    const answer = await askAbout(frame, this.picker, signal);
    if (signal.aborted) return;
    this.samples.set(index, { at: time, ...answer });
    this.fresh += 1;
    if (this.player.paused && !this.touched) this.player.currentTime = time;
    this.show();
  }

  progress() {
    const total = Math.floor(Math.max(0, this.length - 0.01) * this.rate) + 1;
    const sampled = this.samples.size;
    const rate = this.fresh / ((performance.now() - this.began) / 1000);
    const parts = [t("Frames: {done} of {total}", { done: number(sampled), total: number(total) })];
    if (this.running && this.fresh > 2)
      parts.push(
        t("{rate} per second", { rate: number(rate, 1) }),
        t("about {time} left", { time: duration((total - sampled) / rate) }),
      );
    $("[data-video-text]").textContent = parts.join(" · ");
    $("[data-video-bar]").style.width = `${(100 * sampled) / total}%`;
    const label = this.running
      ? ["pause-fill", t("Stop")]
      : sampled >= total
        ? ["check-lg", t("Analysis complete")]
        : ["play-fill", sampled ? t("Resume") : t("Analyze video")];
    this.action.disabled = !this.running && sampled >= total;
    setChildren(this.action, icon(label[0]), " ", label[1]);
  }

  /** Draw the boxes of the frame being played. */
  follow(playing) {
    if (playing) this.touched = true;
    this.show();
    if (!this.player.paused && !this.ticking) {
      this.ticking = true;
      requestAnimationFrame(() => {
        this.ticking = false;
        if (!this.player.paused) this.follow(false);
      });
    }
  }

  get sample() {
    return this.samples.get(Math.round(this.player.currentTime * this.rate)) || null;
  }

  show() {
    if (!this.viewer) return;
    const { sample } = this;
    this.viewer.show(sample?.detections, sample?.size);
    this.timeline.show(this.samples, this.rate, this.length, this.player.currentTime);
    if (sample !== this.before || !sample) this.onFrame(sample);
    this.before = sample;
  }

  /** Redraw after a change of the filters. */
  refresh() {
    if (!this.file) return;
    this.before = undefined;
    this.show();
  }

  leave() {
    this.stop();
    this.sending?.abort();
    this.player?.pause();
    if (this.file) this.progress();
  }
}

/** Seconds. Videos recorded by a browser do not report it before a seek to their end. */
async function lengthOf(video) {
  if (Number.isFinite(video.duration)) return video.duration;
  video.currentTime = 1e7;
  await event(video, "seeked");
  const length = Number.isFinite(video.duration) ? video.duration : video.currentTime;
  video.currentTime = 0;
  await event(video, "seeked");
  return length;
}
