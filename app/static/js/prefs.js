/* What a reader chose, kept in this browser; where storage is blocked it lasts as long as the page. */
const PREFIX = "yolo.";
const here = new Map();

/** The kept value, or `otherwise`. */
export function kept(name, otherwise) {
  if (here.has(name)) return here.get(name);
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch { return otherwise; }
}

export function keep(name, value) {
  here.set(name, value);
  try { localStorage.setItem(PREFIX + name, JSON.stringify(value)); } catch { /* blocked or full */ }
}
