/* Colours and fonts of the page for canvases. Read once for each theme, since each reading of the style causes a
   layout. */
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

/** The size in pixels of 11 px text on an ordinary screen: on very large ones the page's text grows, and so does that
 *  of canvases. */
export const small = () => (11 * parseFloat(getComputedStyle(document.documentElement).fontSize)) / 16;
