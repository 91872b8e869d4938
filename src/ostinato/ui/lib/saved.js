/** Saved views: addresses of lists of runs that somebody gave a name, kept in this browser. */
import { signal } from "@preact/signals";
import { to } from "./route.js";

const KEY = "ostinato.views";

/** `query` is what stands after the question mark of the address. @typedef {{name: string, query: string}} Saved */

/** All of them, by name. */
export const saved = signal(read());

/** @returns {Saved[]} */
function read() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return found.filter((/** @type {any} */ one) => typeof one.name === "string" && typeof one.query === "string");
  } catch {
    return []; // somebody else wrote there
  }
}

function keep(/** @type {Saved[]} */ views) {
  saved.value = views;
  localStorage.setItem(KEY, JSON.stringify(views));
}

/** Save a view; one that had the name before is gone. */
export function save(/** @type {string} */ name, /** @type {string} */ query) {
  keep([...saved.value.filter((one) => one.name !== name), { name, query }].sort((a, b) => a.name.localeCompare(b.name)));
}

/** Give the address of a saved view. */
export const addressOf = (/** @type {Saved} */ one) => `${to("runs")}?${one.query}`;

export const forget = (/** @type {string} */ name) => keep(saved.value.filter((one) => one.name !== name));

addEventListener("storage", (event) => {
  if (event.key === KEY) saved.value = read(); // another tab
});
