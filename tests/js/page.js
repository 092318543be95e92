/* What the templates and the browser give every script: the page's language, its texts, its storage. Import it before a script. */
const storage = new Map();

globalThis.window = /** @type {any} */ ({ catalogue: { locale: "en", messages: {} } });
globalThis.document = /** @type {any} */ ({
  documentElement: { lang: "en" },
  addEventListener() {},
  querySelector: () => null,
});
globalThis.localStorage = /** @type {any} */ ({
  getItem: (name) => storage.get(name) ?? null,
  setItem: (name, text) => storage.set(name, text),
});

/** The page in another language; to be called before the scripts are imported. */
export function speak(locale, messages = {}) {
  globalThis.document.documentElement.lang = locale;
  globalThis.window.catalogue = { locale, messages };
}
