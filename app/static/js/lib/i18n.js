/* Texts in the page's language: from the server's catalogue, otherwise in English. */
/** @type {{locale: string, messages: Record<string, string | string[]>}} */
const catalogue = window.catalogue || { locale: document.documentElement.lang || "en", messages: {} };

export const locale = document.documentElement.lang || catalogue.locale;

/** The text with its `{placeholders}` filled from `params`. @param {string} text @param {Record<string, any>}
 *  [params] */
export function t(text, params) {
  const translation = catalogue.messages[text];
  return fill(typeof translation === "string" ? translation : text, params);
}

/**
 * Singular or plural: `tn("{n} image", "{n} images", 3)`; `n` fills its placeholder in the locale's format. Zero takes
 * the plural in Portuguese, too, as in common usage ("0 erros") and in the catalogue's header.
 * @param {string} one @param {string} many @param {number} n @param {Record<string, any>} params
 */
export function tn(one, many, n, params = {}) {
  const form = n === 1 ? 0 : 1;
  const forms = catalogue.messages[one];
  const text = Array.isArray(forms) ? forms[form] : [one, many][form];
  return fill(text, { n: n.toLocaleString(locale), ...params });
}

/** @param {string} text @param {Record<string, any>} [params] @returns {string} */
function fill(text, params) {
  return params ? text.replace(/\{(\w+)\}/g, (match, name) => (name in params ? String(params[name]) : match)) : text;
}
