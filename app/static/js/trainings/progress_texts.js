/* The progress of a run, in words. */
import { bytes, dateTime, duration, number, percent, remaining } from "../lib/format.js";
import { t, tn } from "../lib/i18n.js";
import { epochText, fraction, isUploaded, stageText, stateOf, waitedBetween, waitingText } from "../ui/status.js";

const PACE = 5; // epochs

/** The texts of the progress panel: {main, side: [texts], strong}. */
export function progressTexts(training, metrics) {
  const troubles = [
    training.restarts
      ? tn("resumed automatically {n} time", "resumed automatically {n} times", training.restarts)
      : null,
    training.halvings ? t("batch size reduced to {batch}", { batch: number(training.batch_now) }) : null,
  ];
  const total = number(training.total_epochs || training.epochs);
  const ended = {
    side: [...troubles, ...tookTexts(training)],
    strong: training.end_time ? dateTime(training.end_time) : "",
  };
  const texts = {
    running: () => running(training, troubles),
    pending: () => ({
      main: t("In the queue"),
      side: [...troubles, waitingText(training)],
      strong: training.current_epoch ? t("resumes after epoch {epoch}", { epoch: number(training.current_epoch) }) : "",
    }),
    paused: () => ({
      main: training.current_epoch
        ? t("Paused after epoch {epoch} of {total}", { epoch: number(training.current_epoch), total })
        : t("Paused before the first epoch was completed"),
      side: [...troubles, stillToGo(training, metrics)],
      strong: percent(fraction(training)),
    }),
    completed: () => ({
      main: isUploaded(training)
        ? t("Model trained elsewhere")
        : tn("{n} epoch completed", "{n} epochs completed", training.current_epoch),
      ...ended,
    }),
  };
  const describe = texts[training.status];
  if (describe) return describe();
  return {
    main: training.current_epoch
      ? t("Ended after epoch {epoch} of {total}", { epoch: number(training.current_epoch), total })
      : t("Ended before the first epoch was completed"),
    ...ended,
  };
}

/** The training time; if queue, pauses or idle time came in between, also the time from start to end. */
function tookTexts({ training_seconds: worked, duration: wall }) {
  if (!worked) return [];
  return [
    t("trained for {time}", { time: duration(worked) }),
    waitedBetween(worked, wall) && t("{time} from start to end", { time: duration(wall) }),
  ];
}

/** The remaining time, at the pace of the last epochs. */
function stillToGo(training, metrics) {
  const paces = metrics
    .slice(-PACE)
    .map(({ seconds }) => seconds)
    .filter(Number.isFinite);
  const epochs = (training.total_epochs || training.epochs) - training.current_epoch;
  if (!paces.length || epochs <= 0) return null;
  return t("about {time} left", {
    time: duration((epochs * paces.reduce((sum, pace) => sum + pace, 0)) / paces.length),
  });
}

function running(training, troubles) {
  const { progress = {} } = training;
  const stage = stageText(training);
  const request = { stopping: t("stops after this batch"), pausing: t("pauses after this batch") }[stateOf(training)];
  const begun = training.current_epoch > 0 || progress.epoch > 0;
  const side = [
    request,
    ...troubles,
    begun ? stage : null,
    progress.batch && !stage
      ? t("batch {batch} of {batches}", { batch: number(progress.batch), batches: number(progress.batches) })
      : null,
    progress.received ? [progress.received, progress.total].filter(Boolean).map(bytes).join(" / ") : null,
  ];
  return {
    main: begun ? epochText(training) : (stage ?? epochText(training)),
    side,
    strong: `${percent(fraction(training))} · ${remaining(training.eta)}`,
  };
}
