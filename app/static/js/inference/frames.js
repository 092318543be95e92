/* Frames of a video or the camera: captured here, scaled down, sent one after the other. */
import { ApiError } from "../lib/api.js";
import { locale, t } from "../lib/i18n.js";
import { settings } from "./settings.js";

const LONGEST = 1280; // pixels of a sent frame; models use 640 or so
const FLOOR = 0.05;
const canvas = document.createElement("canvas");

/** A frame of a video element as {blob, width, height}; null if there is none yet. */
export async function grab(video) {
  const { videoWidth: width, videoHeight: height } = video;
  if (!width) return null;
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  Object.assign(canvas, size);
  canvas.getContext("2d").drawImage(video, 0, 0, size.width, size.height);
  const blob = await new Promise((resolve) => {
    canvas.toBlob(resolve, "image/jpeg", 0.88);
  });
  return { blob, ...size };
}

const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** The detections of the model of `picker` in a frame: {detections, size, time}. Waits while the server is busy. */
export async function askAbout(frame, picker, signal) {
  const { training_id: training, checkpoint } = picker.selection;
  for (let tries = 0; ; tries += 1) {
    const body = new FormData();
    for (const [name, value] of Object.entries({ training_id: training, confidence: FLOOR, iou: settings.iou }))
      body.append(name, value);
    body.append("file", frame.blob, "frame.jpg");
    const response = await send(
      checkpoint ? `/api/tests/frames?checkpoint=${checkpoint}` : "/api/tests/frames",
      body,
      signal,
    );
    const answer = await response.json().catch(() => ({}));
    if (response.ok)
      return {
        detections: answer.detections,
        size: { width: answer.width, height: answer.height },
        task: answer.task,
        time: answer.inference_time,
      };
    if (response.status !== 429 || tries > 20)
      throw new ApiError({
        status: response.status,
        title: answer.title || t("The server returned error {status}", { status: response.status }),
        detail: answer.detail,
        errors: answer.errors,
      });
    await pause(1000 * (Number(response.headers.get("Retry-After")) || 1) * (0.5 + Math.random()));
  }
}

async function send(address, body, signal) {
  try {
    return await fetch(address, {
      method: "POST",
      body,
      signal,
      headers: { Accept: "application/json", "Accept-Language": locale },
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError({
      title: t("The server doesn't respond"),
      detail: t("Check that the server is running and that you are online, then try again."),
    });
  }
}

export const keyOf = (picker) => `${picker.modelKey}:${settings.iou}`;
