/* A curve of a few centimetres in a table: drawn as SVG, so that it takes its colour from the style. */
const SPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, EDGE] = [96, 24, 2];

function svg(tag, attributes) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** [[epoch, 0..1], …] over all `epochs`; `label` says it in words. Null where there is nothing to draw. */
export function sparkline(points, epochs, label) {
  if (!points?.length) return null;
  const x = (epoch) => EDGE + ((epoch - 1) / Math.max(1, epochs - 1)) * (WIDTH - 2 * EDGE);
  const y = (value) => HEIGHT - EDGE - Math.min(1, Math.max(0, value)) * (HEIGHT - 2 * EDGE);
  const places = points.map(([epoch, value]) => [x(epoch).toFixed(1), y(value).toFixed(1)]);
  const element = svg("svg", { class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  element.append(svg("path", { class: "sparkline-ground", d: `M${EDGE} ${HEIGHT - EDGE}H${WIDTH - EDGE}` }));
  if (places.length > 1) element.append(svg("polyline", { class: "sparkline-line", points: places.map((place) => place.join(",")).join(" ") }));
  const [cx, cy] = places.at(-1);
  element.append(svg("circle", { class: "sparkline-end", cx, cy, r: 2 }));
  return element;
}
