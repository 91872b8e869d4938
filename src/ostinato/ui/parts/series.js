/** What a metric of some runs did: lines over one another, loaded when they come into sight, smoothed when asked. */
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { span } from "../lib/time.js";
import { shown } from "../lib/values.js";
import { useView } from "../lib/view.js";
import { Failure } from "./notices.js";

const WIDE = 560, HIGH = 180, PAD = 8;
const DASHES = ["", "6 3", "2 3", "9 3 2 3"];

/** @typedef {{id: string, name: string}} Named */
/** @typedef {{x: number, y: number}[]} Points */

/** How a run is drawn. @param {{at: number}} props */
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

/** @param {{metric: string, runs: Named[], smoothing?: number, by?: string}} props */
export function Series({ metric, runs, smoothing = 0, by = "step" }) {
  const { box, seen } = useSeen();
  return html`<figure ref=${box}><figcaption dir="auto" title=${metric}>${metric}</figcaption>
    ${seen ? html`<${Lines} metric=${metric} runs=${runs} smoothing=${smoothing} by=${by} />` : html`<div class="chart-place" />`}</figure>`;
}

/** @param {{metric: string, runs: Named[], smoothing: number, by: string}} props */
function Lines({ metric, runs, smoothing, by }) {
  const ids = runs.map((run) => run.id);
  const path = `api/ui/series?run=${ids.join("&run=")}&key=${encodeURIComponent(metric)}&most=${WIDE}`;
  const { data, error } = useView(path, (event) => event.kind === "metrics-logged" && ids.includes(event.data?.run_id), 2000);
  if (!data) return error ? html`<${Failure} error=${error} />` : html`<div class="chart-place" />`;
  return html`<${Chart} metric=${metric} runs=${runs} lines=${data.lines} smoothing=${smoothing} by=${by} />`;
}

/** @param {{metric: string, runs: Named[], lines: any[], smoothing: number, by: string}} props */
function Chart({ metric, runs, lines, smoothing, by }) {
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const column = by === "time" ? 1 : 0;
  const raw = lines.map((line) => /** @type {Points} */ (line.points.filter((/** @type {any[]} */ point) => point[2] !== null).map((/** @type {any[]} */ point) => ({ x: point[column], y: point[2] }))));
  const n_odd = lines.reduce((n, line, index) => n + line.points.length - (raw[index]?.length ?? 0), 0);
  const all = raw.flat();
  if (!all.length) return html`<p class="quiet">${n_odd === 1 ? "The one value is not finite." : n_odd ? `None of ${n_odd.toLocaleString("en")} values is finite.` : "No value."}</p>`;
  const [left, right] = bounds(all.map((point) => point.x)), [low, high] = bounds(all.map((point) => point.y));
  const x = (/** @type {number} */ value) => PAD + ((value - left) / (right - left || 1)) * (WIDE - 2 * PAD);
  const y = (/** @type {number} */ value) => HIGH - PAD - ((value - low) / (high - low || 1)) * (HIGH - 2 * PAD);
  const told = (/** @type {number} */ value) => (by === "time" ? span(value) : `step ${value.toLocaleString("en")}`);
  const smoothed = raw.map((points) => smooth(points, smoothing));
  const path = (/** @type {Points} */ points) => points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ");
  const words = `${metric} from ${told(left)} to ${by === "time" ? told(right) : right.toLocaleString("en")}, between ${shown(low)} and ${shown(high)}`;
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
      ${smoothed.map((points, index) => html`<g key=${runs[index]?.id}>
        ${smoothing > 0 && html`<polyline class=${`line-${index} raw`} points=${path(raw[index] ?? [])} />`}
        ${points.length === 1 ? html`<circle class=${`line-${index}`} cx=${x(points[0]?.x ?? 0)} cy=${y(points[0]?.y ?? 0)} r="3" />` : html`<polyline class=${`line-${index}`} stroke-dasharray=${DASHES[index]} points=${path(points)} />`}</g>`)}
      ${at !== null && html`<line class="cross" x1=${x(at)} x2=${x(at)} y1="0" y2=${HIGH} />`}
    </svg>
    <p class="axis quiet"><span>${told(left)}</span><span>${shown(low)} to ${shown(high)}</span><span>${told(right)}</span></p>
    <p class="readout" role="status">${here === null || at === null ? "" : html`<b>${told(at)}</b> ${here.map((value, index) => value && html`<span key=${runs[index]?.id}><${Stroke} at=${index} /> ${shown(value.y)}</span>`)}`}</p>
    ${n_odd > 0 && html`<p class="quiet">${n_odd.toLocaleString("en")} ${n_odd === 1 ? "value is" : "values are"} not finite and not drawn.</p>`}`;
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
