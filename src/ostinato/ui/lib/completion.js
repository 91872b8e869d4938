/** What may be written next in a query for runs: fields, and the values that are known. */
import { STATES } from "./states.js";

/** The fields of the grammar, as the server has them. */
export const FIELDS = /** @type {Record<string, string>} */ ({
  flow: "name of the flow",
  name: "name of the run",
  state: "state, or active, ended, successful, unsuccessful",
  tag: "a tag of the run",
  id: "beginning of the id",
  parent: "id of the run that called it, or none",
  root: "id of the outermost run",
  version: "version of the flow",
  deployment: "flow/name of the deployment that it is a run of",
  queue: "queue in which it waits, or waited, for a worker",
  worker: "id of the worker that has, or had, it",
  schedule: "slug of the schedule that made it",
  due: "when it may, or might, start",
  since: "made at or after",
  until: "made at or before",
  created: "when it was made",
  started: "when it first ran",
  ended: "when it ended",
  duration: "time from start to end, or to now",
  attempt: "attempts so far",
  epoch: "1, and one more for each resume or retry",
});

const INSTANTS = ["1h", "24h", "7d", "today", "yesterday"];
const COMPARED = [">1h", ">24h", "<24h", "today", "yesterday"];

/** @type {Record<string, string[]>} */
const VALUES = {
  state: [...Object.keys(STATES).map((state) => state.toLowerCase()), "active", "ended", "successful", "unsuccessful"],
  since: INSTANTS, until: INSTANTS, created: COMPARED, due: COMPARED, started: [...COMPARED, "none"], ended: [...COMPARED, "none"],
  duration: [">10s", ">1m", ">10m", ">1h", "<1s"], attempt: [">1"], epoch: [">1"], parent: ["none"], deployment: ["none"], queue: ["none"],
};

/** @typedef {{text: string, help: string}} Option */

/** Give the term that is written at the caret: its field ("" before the colon), and where the part begins that can be completed. */
export function written(/** @type {string} */ text, caret = text.length) {
  const before = text.slice(0, caret);
  const begin = before.search(/\S*$/);
  const [, field, head] = /^-?((?:([a-z_]\w*):)?)/i.exec(before.slice(begin)) ?? ["", "", ""];
  const minus = before[begin] === "-" ? 1 : 0;
  const comma = field ? before.lastIndexOf(",") + 1 : 0;
  return { field: (head ?? "").toLowerCase(), from: Math.max(begin + minus + (field ?? "").length, comma), isQuoted: before.split('"').length % 2 === 0 };
}

/**
 * Give what can stand at the caret, and where the part begins that it takes the place of.
 * @param {string} text
 * @param {number} caret
 * @param {string[]} names values of the field that somebody looked up
 * @returns {{from: number, options: Option[]}}
 */
export function complete(text, caret, names = []) {
  const { field, from, isQuoted } = written(text, caret);
  if (isQuoted) return { from, options: [] };
  const part = text.slice(from, caret).toLowerCase();
  const fits = (/** @type {string} */ word) => word.toLowerCase().startsWith(part) && word.toLowerCase() !== part;
  if (field) return { from, options: [...names, ...(VALUES[field] ?? []).filter(fits)].map((word) => ({ text: word, help: "" })) };
  return { from, options: Object.keys(FIELDS).filter(fits).map((name) => ({ text: `${name}:`, help: FIELDS[name] ?? "" })) };
}
