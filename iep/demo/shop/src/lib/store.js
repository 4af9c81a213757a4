// What is in the basket: kept in this browser, told to whoever listens.
const KEY = "fernweh-basket";
const listeners = new Set();
let lines = read();

function read() {
  try {
    return new Map(JSON.parse(localStorage.getItem(KEY)) ?? []);
  } catch {
    return new Map();
  }
}

function changed() {
  localStorage.setItem(KEY, JSON.stringify([...lines]));
  for (const listen of listeners) listen();
}

export const basket = {
  lines: () => [...lines],
  count: () => [...lines.values()].reduce((sum, amount) => sum + amount, 0),
  put(id, amount = 1) {
    const next = (lines.get(id) ?? 0) + amount;
    if (next > 0) lines.set(id, next);
    else lines.delete(id);
    changed();
  },
  empty() {
    lines = new Map();
    changed();
  },
  listen(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
