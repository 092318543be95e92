/* Prints the lists that the scripts share with the server, for tests/test_scripts.py. */
import "./page.js";

const { EXPORTS, FORMATS, SPLITS, TASKS } = await import("../../app/static/js/lib/vocabulary.js");
const { KINDS } = await import("../../app/static/js/ui/jobs.js");
const { STATES } = await import("../../app/static/js/ui/status.js");
const { LEARNABLE } = await import("../../app/static/js/trainings/architectures.js");
const { CHARTS } = await import("../../app/static/js/trainings/compared.js");
const { PREVIEW_LIMITS } = await import("../../app/static/js/trainings/judging.js");
const { cardsOf } = await import("../../app/static/js/trainings/cards.js");

console.log(
  JSON.stringify({
    exports: EXPORTS,
    formats: Object.keys(FORMATS),
    splits: SPLITS,
    tasks: TASKS,
    states: Object.keys(STATES),
    jobs: Object.keys(KINDS),
    learnable: LEARNABLE,
    compared: CHARTS,
    previewLimits: PREVIEW_LIMITS,
    cards: cardsOf("detect").map(({ key, label, up }) => ({ key, label: label(), up })),
  }),
);
