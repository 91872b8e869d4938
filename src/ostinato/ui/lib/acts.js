/** What can be done to a run in its state: one list for its page, the panel beside lists, and their keys. */
import { ask } from "./api.js";
import { hasEnded, isBad } from "./states.js";

/**
 * `sure` is what is asked first; after an act that is `final` the run is there no more.
 * @typedef {{words: string, keys: string, path: string, method?: string, sure?: string, main?: boolean, final?: boolean}} Act
 */

/** @returns {Act[]} */
export function actsOf(/** @type {Api.RunView} */ run) {
  if (run.parent_id) return [];
  /** @type {Act[]} */
  const acts = [];
  if (isBad(run.state) || run.state === "Cancelled") acts.push({ words: "Retry from failure", keys: "r", path: "/resume", main: true });
  if (run.state === "Paused") acts.push({ words: "Go on", keys: "r", path: "/resume", main: true });
  if (hasEnded(run.state)) {
    acts.push({ words: "Delete", keys: "", path: "", method: "DELETE", sure: `Forget ${run.name}, with its log lines, results and artifacts?`, final: true });
  } else {
    if (run.state !== "Paused" && run.state !== "Cancelling") acts.push({ words: "Pause", keys: "", path: "/pause" });
    acts.push({ words: "Cancel", keys: "c", path: "/cancel", sure: `Cancel ${run.name}?` });
  }
  return acts;
}

/** Do it; gives the answer of the server. */
export function act(/** @type {Api.RunView} */ run, /** @type {Act} */ one) {
  return ask(`api/runs/${run.id}${one.path}`, one.method ? { method: one.method } : { method: "POST", body: {} });
}
