/** A scale of time from which the long gaps are cut. */

/** @typedef {{begin: number, end: number}} Span */
/** @typedef {{begin: number, end: number, x: number, width: number}} Part */

const LONG = 0.15;
const LEAST_MS = 1000;
const CUT = 0.02;
const MOST_CUTS = 20;

/**
 * Give the parts of time in which something went on, each with its place between 0 and 1.
 * @param {Span[]} spans
 * @returns {Part[]}
 */
export function partsOf(spans) {
  /** @type {Span[]} */
  const busy = [];
  for (const span of [...spans].sort((a, b) => a.begin - b.begin)) {
    const last = busy.at(-1);
    if (last && span.begin <= last.end) last.end = Math.max(last.end, span.end);
    else busy.push({ ...span });
  }
  const whole = busy.reduce((sum, span) => sum + span.end - span.begin, 0);
  const gaps = busy.slice(1).map((span, at) => span.begin - (busy[at]?.end ?? 0)).sort((a, b) => b - a);
  const long = Math.max(whole * LONG, LEAST_MS, gaps[MOST_CUTS] ?? 0);
  /** @type {Span[]} */
  const kept = [];
  for (const span of busy) {
    const last = kept.at(-1);
    if (last && span.begin - last.end <= long) last.end = span.end;
    else kept.push(span);
  }
  const length = kept.reduce((sum, span) => sum + span.end - span.begin, 0) || 1;
  const scale = (1 - CUT * (kept.length - 1)) / length;
  let x = 0;
  return kept.map((span) => {
    const width = (span.end - span.begin) * scale;
    const part = { ...span, x, width };
    x += width + CUT;
    return part;
  });
}

/** Give the place of an instant, between 0 and 1; one in a gap is in the cut. */
export function placeOf(/** @type {Part[]} */ parts, /** @type {number} */ at) {
  let before = parts[0];
  for (const part of parts) {
    if (part.begin > at) break;
    before = part;
  }
  if (!before || at <= before.begin) return before?.x ?? 0;
  return before.x + (before.end > before.begin ? before.width * Math.min(1, (at - before.begin) / (before.end - before.begin)) : 0);
}

