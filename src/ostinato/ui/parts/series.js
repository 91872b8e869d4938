/** What metrics of some runs did: lines over one another, loaded when they come into sight, smoothed when asked. */
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { full, span } from "../lib/time.js";
import { metric as valueOf, shown } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Failure } from "./notices.js";

const WIDE = 560, HIGH = 180, PAD = 8, LABEL = 18;
const DASHES = ["", "6 3", "2 3", "9 3 2 3"];
const MOST_TOLD = 3;

/** @typedef {{id: string, name: string}} Named */
/** @typedef {{x: number, y: number}[]} Points */
/** What goes across: steps, seconds since the run began, or instants. @typedef {"step" | "time" | "clock"} By */

/** How a line is drawn. @param {{at: number}} props */
export function Stroke({ at }) {
  return html`<svg width="28" height="10" aria-hidden="true"><line x1="0" x2="28" y1="5" y2="5" class=${`line-${at}`} stroke-dasharray=${DASHES[at]} /></svg>`;
}

/** Tell whether an element has come into sight. */
function useSeen() {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!box.current || seen) return;
    const watch = new IntersectionObserver((found) => found.some((one) => one.isIntersecting) && setSeen(true), { rootMargin: "200px" });
    watch.observe(box.current);
    return () => watch.disconnect();
  }, [seen]);
  return { box, seen };
}

/**
 * Give the points of a line, smoothed: each value is the mean of those before it, which count the less the older they are.
 * @param {Points} points
 * @param {number} weight of what was before, 0 for none
 */
export function smooth(points, weight) {
  let sum = 0, n = 0;
  return points.map(({ x, y }) => {
    sum = sum * weight + y;
    n = n * weight + 1;
    return { x, y: sum / n };
  });
}

/** A metric of some runs, or some metrics of one run. @param {{metrics: string[], runs: Named[], smoothing?: number, by?: By}} props */
export function Series({ metrics, runs, smoothing = 0, by = "step" }) {
  const { box, seen } = useSeen();
  const title = metrics.length > 1 ? metrics.map((metric, at) => html`<span key=${metric}><${Stroke} at=${at} /> ${metric} </span>`) : metrics[0];
  return html`<figure ref=${box}><figcaption dir="auto" title=${metrics.join(", ")}>${title}</figcaption>
    ${seen ? html`<${Lines} metrics=${metrics} runs=${runs} smoothing=${smoothing} by=${by} />` : html`<div class="chart-place" />`}</figure>`;
}

/** @param {{metrics: string[], runs: Named[], smoothing: number, by: By}} props */
function Lines({ metrics, runs, smoothing, by }) {
  const ids = runs.map((run) => run.id);
  const path = `api/ui/series?run=${ids.join("&run=")}&key=${metrics.map(encodeURIComponent).join("&key=")}&most=${WIDE}`;
  const { data, error } = useView(path, (event) => event.kind === "metrics-logged" && ids.includes(event.data?.run_id), 2000);
  if (!data) return error ? html`<${Failure} error=${error} />` : html`<div class="chart-place" />`;
  return html`<${Chart} metrics=${metrics} lines=${data.lines} smoothing=${smoothing} by=${by} />`;
}

/** @param {{metrics: string[], lines: any[], smoothing: number, by: By}} props */
function Chart({ metrics, lines, smoothing, by }) {
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const begun = lines.map((line) => Date.parse(line.started_at) / 1000);
  const place = (/** @type {number} */ index, /** @type {number} */ step, /** @type {number} */ after_s) => (by === "step" ? step : by === "time" ? after_s : (begun[index] ?? 0) + after_s);
  const raw = lines.map((line, index) => /** @type {Points} */ (line.points.map((/** @type {any[]} */ point) => ({ x: place(index, point[0], point[1]), y: point[2] }))));
  const gaps = lines.flatMap((line, index) => line.gaps.map((/** @type {any} */ gap) => ({ ...gap, index, x: place(index, gap.step, gap.after_s) })));
  const n_odd = lines.reduce((n, line) => n + line.n_odd, 0);
  const all = raw.flat();
  if (!all.length) return html`<${Gaps} gaps=${gaps} n_odd=${n_odd} many=${lines.length > 1} />`;
  const [left, right] = bounds([...all, ...gaps].map((point) => point.x)), [low, high] = bounds(all.map((point) => point.y));
  const x = (/** @type {number} */ value) => PAD + ((value - left) / (right - left || 1)) * (WIDE - 2 * PAD);
  const y = (/** @type {number} */ value) => HIGH - PAD - ((value - low) / (high - low || 1)) * (HIGH - 2 * PAD);
  const told = (/** @type {number} */ value) => (by === "time" ? span(value) : by === "clock" ? full(new Date(value * 1000).toISOString()) : `step ${value.toLocaleString("en")}`);
  const smoothed = raw.map((points) => smooth(points, smoothing));
  const path = (/** @type {Points} */ points) => points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ");
  const words = `${metrics.join(", ")} from ${told(left)} to ${by === "step" ? right.toLocaleString("en") : told(right)}, between ${shown(low)} and ${shown(high)}`;
  const here = at === null ? null : smoothed.map((points) => nearest(points, at));
  const places = [...new Set(all.map((point) => point.x))].sort((a, b) => a - b);
  function press(/** @type {KeyboardEvent} */ event) {
    const by_ = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") return setAt(null);
    if (!by_) return;
    event.preventDefault();
    const now = at === null ? (by_ > 0 ? -1 : places.length) : places.indexOf(nearestOf(places, at));
    setAt(places[Math.max(0, Math.min(places.length - 1, now + by_))] ?? null);
  }
  function point(/** @type {any} */ event) {
    const area = event.currentTarget.getBoundingClientRect();
    setAt(nearestOf(places, left + (((event.clientX - area.left) / area.width) * WIDE - PAD) / (WIDE - 2 * PAD) * (right - left || 1)));
  }
  return html`<svg viewBox=${`0 0 ${WIDE} ${HIGH}`} role="img" aria-label=${words} tabindex="0" onKeyDown=${press} onPointerMove=${point} onPointerLeave=${() => setAt(null)} onBlur=${() => setAt(null)}>
      ${gaps.map((gap) => html`<g key=${`${gap.index} ${gap.step} ${gap.after_s}`} class="gap"><line x1=${x(gap.x)} x2=${x(gap.x)} y1="0" y2=${HIGH} /><text x=${Math.max(LABEL, Math.min(WIDE - LABEL, x(gap.x)))} y=${gap.value === "-inf" ? HIGH - 4 : 14} text-anchor="middle">${valueOf(gap.value)}</text></g>`)}
      ${smoothed.map((points, index) => html`<g key=${index}>
        ${smoothing > 0 && html`<polyline class=${`line-${index} raw`} points=${path(raw[index] ?? [])} />`}
        ${points.length === 1 ? html`<circle class=${`line-${index}`} cx=${x(points[0]?.x ?? 0)} cy=${y(points[0]?.y ?? 0)} r="3" />` : html`<polyline class=${`line-${index}`} stroke-dasharray=${DASHES[index]} points=${path(points)} />`}</g>`)}
      ${at !== null && html`<line class="cross" x1=${x(at)} x2=${x(at)} y1="0" y2=${HIGH} />`}
    </svg>
    <p class="axis quiet"><span>${told(left)}</span><span>${shown(low)} to ${shown(high)}</span><span>${told(right)}</span></p>
    <p class="readout" role="status">${here === null || at === null ? "" : html`<b>${told(at)}</b> ${here.map((value, index) => value && html`<span key=${index}><${Stroke} at=${index} /> ${shown(value.y)}</span>`)}`}</p>
    ${n_odd > 0 && html`<${Gaps} gaps=${gaps} n_odd=${n_odd} many=${lines.length > 1} />`}`;
}

/** Where lines are not finite. @param {{gaps: any[], n_odd: number, many: boolean}} props */
function Gaps({ gaps, n_odd, many }) {
  if (!n_odd) return html`<p class="quiet">No value.</p>`;
  const where = (/** @type {any} */ gap) => (gap.step === gap.last_step ? `at step ${gap.step.toLocaleString("en")}` : gap.goes_on ? `from step ${gap.step.toLocaleString("en")} on` : `from step ${gap.step.toLocaleString("en")} to ${gap.last_step.toLocaleString("en")}`);
  return html`<p class="gaps quiet">${gaps.slice(0, MOST_TOLD).map((gap, at) => html`<span key=${at}>${many && html`<${Stroke} at=${gap.index} /> `}<b>${valueOf(gap.value)}</b> ${where(gap)}</span> `)}${gaps.length > MOST_TOLD && `and more: ${n_odd.toLocaleString("en")} values are not finite`}</p>`;
}

function bounds(/** @type {number[]} */ values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return /** @type {const} */ ([low, high]);
}

const nearestOf = (/** @type {number[]} */ values, /** @type {number} */ at) => values.reduce((best, value) => (Math.abs(value - at) < Math.abs(best - at) ? value : best), values[0] ?? 0);

/** @returns {{x: number, y: number} | undefined} */
function nearest(/** @type {Points} */ points, /** @type {number} */ at) {
  return points.reduce((best, point) => (Math.abs(point.x - at) < Math.abs(best.x - at) ? point : best), points[0] ?? { x: 0, y: NaN });
}
