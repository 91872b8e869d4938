/** A node of the graph of a run in words, with its state and its page. */
import { withQuery } from "../lib/api.js";
import { called } from "../lib/names.js";
import { to } from "../lib/route.js";
import { isBad, ORDER } from "../lib/states.js";
import { now, span, taken } from "../lib/time.js";

/** Give the states of a node, what needs a look first. */
const states = (/** @type {any} */ node) => ORDER.filter((state) => node.states[state]);

/** Give the name of a node as people read it. */
export const nameOf = (/** @type {any} */ node) => (node.kind === "task" ? called(node.name) : node.name);

/** Give the state by which a node is shown: a bad one, else one that goes on. */
export function stateOf(/** @type {any} */ node) {
  const found = states(node);
  return found.find(isBad) ?? found[0] ?? "Pending";
}

export const wordsOf = (/** @type {any} */ node) => (node.n > 1 ? states(node).map((one) => `${node.states[one].toLocaleString("en")} ${one}`).join(", ") : stateOf(node));

/** Give how long a node took, or takes so far. */
export const timeOf = (/** @type {any} */ node) => span(taken(node.started_at, node.ended_at, node.ended_at ? 0 : now.value));

/** Give what is said of a node. */
export function labelOf(/** @type {any} */ node) {
  const time = timeOf(node);
  return `${node.kind === "flow" ? "subflow" : "task"} ${nameOf(node)}${node.n > 1 ? ` ×${node.n.toLocaleString("en")}` : ""}, ${wordsOf(node)}${time && `, ${time}`}`;
}

/** Give the page of a node: of a subflow its run, of a task run its own, of many task runs their list. */
export function pageOf(/** @type {any} */ run, /** @type {any} */ node) {
  if (node.run_id) return to("runs", node.run_id);
  if (node.no) return to("runs", run.id, "tasks", String(node.no));
  return withQuery(to("runs", run.id), { tab: "tasks", task: node.task, group: node.group ?? "" });
}
