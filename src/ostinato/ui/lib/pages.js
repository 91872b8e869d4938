/** A list of which a view shows the first page and keeps it up to date; the pages that follow are asked for. */
import { useState } from "preact/hooks";
import { ask } from "./api.js";

/** @typedef {{items: any[], next: string | null}} Page */
/** @typedef {Page & {error: any, load: () => Promise<void>}} Pages */

/**
 * Give all items so far, each once, and what asks for the next page.
 * @param {string} path of the first page
 * @param {Page} first
 * @param {string} [key] what tells one item from another
 * @returns {Pages}
 */
export function useMore(path, first, key = "id") {
  const [kept, setKept] = useState(/** @type {Page & {path: string}} */ ({ path: "", items: [], next: null }));
  const [error, setError] = useState(/** @type {any} */ (null));
  const shown = new Set(first.items.map((one) => one[key]));
  // What was shown stays below what is new, as long as nothing lies between.
  const joined = kept.path === path && (!shown.size || !kept.items.length || kept.items.some((one) => shown.has(one[key])));
  const items = joined ? [...first.items, ...kept.items.filter((one) => !shown.has(one[key]))] : first.items;
  const next = joined ? kept.next : first.next;
  async function load() {
    try {
      const page = await ask(`${path}${path.includes("?") ? "&" : "?"}after=${encodeURIComponent(next ?? "")}`);
      setKept({ path, items: [...items, ...page.items], next: page.next });
      setError(null);
    } catch (problem) {
      setError(problem);
    }
  }
  return { items, next, error, load };
}
