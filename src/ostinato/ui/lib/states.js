/** States: each has a shape, a word and a colour, so that none of them has to carry the meaning alone. */

/** @type {Record<string, {glyph: string, kind: string}>} */
export const STATES = {
  Scheduled: { glyph: "○", kind: "scheduled" },
  Late: { glyph: "◔", kind: "late" },
  Pending: { glyph: "◌", kind: "pending" },
  Running: { glyph: "◐", kind: "running" },
  Retrying: { glyph: "↻", kind: "late" },
  AwaitingRetry: { glyph: "↻", kind: "late" },
  Paused: { glyph: "‖", kind: "paused" },
  Cancelling: { glyph: "⊘", kind: "cancelled" },
  Completed: { glyph: "✓", kind: "completed" },
  Cached: { glyph: "☑", kind: "cached" },
  Failed: { glyph: "✕", kind: "failed" },
  TimedOut: { glyph: "◷", kind: "failed" },
  Crashed: { glyph: "⚡", kind: "crashed" },
  Cancelled: { glyph: "⊘", kind: "cancelled" },
  Skipped: { glyph: "⤼", kind: "cancelled" },
};

const ENDED = new Set(["Completed", "Cached", "Failed", "TimedOut", "Crashed", "Cancelled", "Skipped"]);
const BAD = new Set(["Failed", "TimedOut", "Crashed"]);

export const hasEnded = (/** @type {string} */ state) => ENDED.has(state);
export const isBad = (/** @type {string} */ state) => BAD.has(state);
export const kindOf = (/** @type {string} */ state) => STATES[state]?.kind ?? "pending";
export const glyphOf = (/** @type {string} */ state) => STATES[state]?.glyph ?? "◌";

/** Order in which states are stacked and counted: what needs a look first. */
export const ORDER = Object.keys(STATES).sort((a, b) => rank(a) - rank(b));

function rank(/** @type {string} */ state) {
  return isBad(state) ? 0 : hasEnded(state) ? 2 : 1;
}
