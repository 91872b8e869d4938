/** A scale of time from which the long gaps are cut, and its round instants. */

/** @typedef {{begin: number, end: number}} Span */
/** @typedef {{begin: number, end: number, x: number, width: number}} Part */
/** `after_ms` is how long after the beginning of its part it is. @typedef {{at: number, x: number, after_ms: number, part: number}} Tick */

const LONG = 0.15;
const LEAST_MS = 1000;
/** While the run itself went on a gap says something: it is cut only when all else could hardly be seen. */
const LONG_RUNNING = 50;
const LEAST_RUNNING_MS = 60_000;
const CUT = 0.02;
const MOST_CUTS = 20;

const MOST_TICKS = 6;
const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
/** What may lie between two ticks. */
const STEPS = [
  ...[1, 10, 100].flatMap((power) => [1, 2, 3, 5].map((n) => n * power)),
  ...[1, 2, 3, 5, 10, 15, 30].map((n) => n * SECOND), ...[1, 2, 3, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR), ...[1, 2, 3, 5, 10, 20, 30, 60, 90, 180, 365].map((n) => n * DAY),
];

/**
 * Give the parts of time in which something went on, each with its place between 0 and 1.
 * @param {Span[]} spans
 * @param {Span[]} [running] when the run itself went on
 * @returns {Part[]}
 */
export function partsOf(spans, running = []) {
  /** @type {Span[]} */
  const busy = [];
  for (const span of [...spans].sort((a, b) => a.begin - b.begin)) {
    const last = busy.at(-1);
    if (last && span.begin <= last.end) last.end = Math.max(last.end, span.end);
    else busy.push({ ...span });
  }
  const whole = busy.reduce((sum, span) => sum + span.end - span.begin, 0);
  const gaps = busy.slice(1).map((span, at) => span.begin - (busy[at]?.end ?? 0)).sort((a, b) => b - a);
  const few = gaps[MOST_CUTS] ?? 0;
  const idle = Math.max(whole * LONG, LEAST_MS, few), active = Math.max(whole * LONG_RUNNING, LEAST_RUNNING_MS, few);
  const isLong = (/** @type {number} */ begin, /** @type {number} */ end) => end - begin > (running.some((one) => one.begin <= begin && end <= one.end) ? active : idle);
  /** @type {Span[]} */
  const kept = [];
  for (const span of busy) {
    const last = kept.at(-1);
    if (last && !isLong(last.end, span.begin)) last.end = span.end;
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

/**
 * Give round instants of what is shown of a scale, some four to six of them.
 * @param {Part[]} parts
 * @param {number} from
 * @param {number} to
 * @returns {Tick[]}
 */
export function ticksOf(parts, from, to) {
  const shown = parts.map((part) => {
    const ms = part.width ? (part.end - part.begin) / part.width : 0;
    return { begin: Math.max(0, (from - part.x) * ms), end: Math.min(part.end - part.begin, (to - part.x) * ms) };
  });
  const length = shown.reduce((sum, one) => sum + Math.max(0, one.end - one.begin), 0);
  const step = STEPS.find((one) => one * MOST_TICKS >= length) ?? Infinity;
  return parts.flatMap((part, index) => {
    const { begin = 0, end = 0 } = shown[index] ?? {};
    /** @type {Tick[]} */
    const ticks = [];
    for (let after = Math.ceil(begin / step) * step; after <= end; after += step) {
      const at = part.begin + after;
      ticks.push({ at, x: placeOf(parts, at), after_ms: after, part: index });
    }
    return ticks;
  });
}
