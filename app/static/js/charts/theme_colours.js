/* Colours and fonts of the page for canvases. Read once for each theme: asking the style costs a layout each time. */
let cache = new Map();

export function css(name) {
  if (!cache.has(name)) cache.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return cache.get(name);
}

document.addEventListener(
  "theme",
  () => {
    cache = new Map();
  },
  true,
);

/** Pixels of what is 11 px on an ordinary screen: on very large ones the page's letters grow, and so do those of
 *  canvases. */
export const small = () => (11 * parseFloat(getComputedStyle(document.documentElement).fontSize)) / 16;
