/** Columns of the list of runs: those that one chose are kept in this browser, and are part of the address. */
import { place, setQuery } from "./route.js";

const KEY = "ostinato.columns", NONE = "none";

/** All that can be chosen, with their heads. */
export const COLUMNS = /** @type {Record<string, string>} */ ({
  flow: "Flow or deployment", started: "Started", took: "Took", tags: "Tags", happened: "What happened", ended: "Ended", id: "Id",
});
const USUAL = "flow,started,took,tags,happened";

/** Give the columns that were chosen as addresses have them; empty when nobody chose. */
export const chosen = () => place.value.query.get("columns") ?? localStorage.getItem(KEY) ?? "";

/** Give the names of the columns that are shown, in their order. */
export function columns() {
  const names = (chosen() || USUAL).split(",");
  return Object.keys(COLUMNS).filter((name) => names.includes(name));
}

/** Show a column, or leave it out. */
export function turn(/** @type {string} */ name) {
  const before = columns();
  const names = Object.keys(COLUMNS).filter((one) => before.includes(one) !== (one === name)).join(",") || NONE;
  localStorage.setItem(KEY, names === USUAL ? "" : names);
  setQuery("columns", names === USUAL ? "" : names);
}
