/* The best epoch of a training. */

/** The epoch with the best fitness, by ultralytics' formula: 0.1 mAP50 + 0.9 mAP50-95; among equals the later one,
 *  whose weights replaced the earlier ones; null before the first. */
export function bestEpoch(metrics) {
  const fitness = (metric) => metric.fitness ?? 0.1 * (metric.map50 || 0) + 0.9 * (metric.map95 || 0);
  const best = metrics.reduce((top, metric) => (!top || fitness(metric) >= fitness(top) ? metric : top), null);
  return best && fitness(best) > 0 ? best.epoch : null;
}
