/* Texts in the page's language: the server's catalogue, English where it has none. */
const catalogue = window.catalogue || { locale: document.documentElement.lang || "en", messages: {} };

export const locale = document.documentElement.lang || catalogue.locale;
const plural = new Intl.PluralRules(locale);

/** The text with its `{places}` filled from `params`. */
export function t(text, params) {
  const found = catalogue.messages[text];
  return fill(typeof found === "string" ? found : text, params);
}

/** One or many: `tn("{n} image", "{n} images", 3)`; `n` fills its place, written as the locale writes numbers. */
export function tn(one, many, n, params = {}) {
  const form = plural.select(n) === "one" ? 0 : 1;
  const found = catalogue.messages[one];
  const text = Array.isArray(found) ? found[form] : [one, many][form];
  return fill(text, { n: n.toLocaleString(locale), ...params });
}

function fill(text, params) {
  return params ? text.replace(/\{(\w+)\}/g, (place, name) => (name in params ? String(params[name]) : place)) : text;
}
