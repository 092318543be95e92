/* The curves that trainings are compared by, as GET /api/trainings/compare names them. */
import { t } from "../lib/i18n.js";

export const CHARTS = [
  { key: "map50", title: "mAP50", min: 0, max: 1 },
  { key: "map95", title: "mAP50-95", min: 0, max: 1 },
  { key: "loss", title: t("Training loss") },
  { key: "val_loss", title: t("Validation loss") },
  { key: "precision", title: t("Precision"), min: 0, max: 1 },
  { key: "recall", title: t("Recall"), min: 0, max: 1 },
  { key: "learning_rate", title: t("Learning rate"), min: 0 },
  { key: "seconds", title: t("Seconds per epoch"), min: 0 },
];
