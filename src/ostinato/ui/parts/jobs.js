/** Which runs ran when: a band for each flow, in it what ran at once one below the other. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { lanes } from "../lib/lanes.js";
import { place, setQuery, to } from "../lib/route.js";
import { kindOf, ORDER } from "../lib/states.js";
import { theme } from "../lib/theme.js";
import { brief, full, span, taken } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Empty, Skeleton } from "./notices.js";
import { Wrong } from "./query.js";
import { State } from "./state.js";

const KINDS = new Set(["run-created", "run-moved", "run-dropped"]);
const WINDOWS = /** @type {const} */ ([[1, "1 hour"], [6, "6 hours"], [24, "24 hours"], [72, "3 days"], [168, "7 days"], [720, "30 days"]]);
const MOST_ELEMENTS = 2000;
const MOST_FLOWS = 200;
const MOST_LANES = 6;
const LANE = 14;
const BAR = 11;
const GAP = 10;

/** A run in its place: `x` and `width` are shares of the window, `y` is in pixels. @typedef {{run: Api.MarkView, x: number, width: number, y: number}} Mark */
/** @typedef {{flow: string, y: number, from: number, n: number}} Band */

/** @param {{query: string, open: (id: string) => void}} props */
export function Jobs({ query, open }) {
  const address = place.value.query;
  const hours = Number(address.get("hours")) || 24;
  const ago = Number(address.get("ago")) || 0;
  const { data, error, again } = useView(withQuery("api/ui/timeline", { query, hours, ago: ago || undefined }), (event) => KINDS.has(event.kind), 2000, 1000);
  const shift = (/** @type {number} */ by) => setQuery("ago", String(Math.max(0, ago + by) || ""));
  return html`<section class="column">
    <div class="bar" role="group" aria-label="Window">
      ${WINDOWS.map(([n, words]) => html`<button key=${n} aria-pressed=${n === hours} onClick=${() => setQuery("hours", String(n))}>${words}</button>`)}
      <button onClick=${() => shift(hours)}>← Earlier</button><button disabled=${!ago} onClick=${() => shift(-hours)}>Later →</button>
      ${data && html`<span class="quiet">${full(data.since)} to ${ago ? full(data.until) : "now"}</span>`}
    </div>
    ${error && html`<${Wrong} error=${error} query=${query} again=${again} />`}
    ${!data && !error && html`<${Skeleton} rows=${8} />`}
    ${data && !data.items.length && html`<${Empty} title="No run ran in this window"><p>Choose a longer or an earlier one${query && ", or another query"}.</p><//>`}
    ${data && data.items.length > 0 && html`<${Plot} data=${data} open=${open} />`}
  </section>`;
}

/** @param {{data: Api.TimelineScreen, open: (id: string) => void}} props */
function Plot({ data, open }) {
  const [picked, setPicked] = useState(""); // the id of a run: its place moves
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const { marks, bands, height, left } = useMemo(() => placed(data), [data]);
  const at = marks.findIndex((mark) => mark.run.id === picked);
  const chosen = marks[at];
  const since = Date.parse(data.since);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => brief(new Date(since + share * (Date.parse(data.until) - since)).toISOString()));
  function press(/** @type {KeyboardEvent} */ event) {
    const next = beside(marks, bands, at, event.key);
    if (marks[next]) setPicked(marks[next].run.id);
    else if (event.key === "Enter" && chosen) open(chosen.run.id);
    else return;
    event.preventDefault();
  }
  /** Give the mark under the pointer. */
  function under(/** @type {MouseEvent} */ event) {
    const frame = /** @type {HTMLElement} */ (box.current).getBoundingClientRect();
    const x = (event.clientX - frame.left) / frame.width;
    const y = event.clientY - frame.top;
    return marks.findIndex((mark) => y >= mark.y && y <= mark.y + BAR && x >= mark.x - 2 / frame.width && x <= mark.x + Math.max(mark.width, 4 / frame.width));
  }
  const click = (/** @type {MouseEvent} */ event) => {
    const found = marks[under(event)];
    if (found) open(found.run.id);
  };
  return html`
    <p class="facts">${ORDER.map((state) => ({ state, n: data.items.filter((run) => run.state === state).length })).map(({ state, n }) => n > 0 && html`<span key=${state}><${State} state=${state} /> ${n.toLocaleString("en")}</span>`)}
      ${!data.whole && html`<span>These are the newest ${data.items.length.toLocaleString("en")}; a shorter window or a query shows the others.</span>`}
      ${left > 0 && html`<span>${left} flows more: name some in the query.</span>`}</p>
    <p class="picked" role="status">${chosen ? html`<a href=${to("runs", chosen.run.id)} dir="auto">${chosen.run.name}</a> ${said(chosen.run, data.now)}` : html`<span class="quiet">Point at a bar, or move between them by the arrow keys; Enter opens the panel.</span>`}</p>
    <div class="jobs" tabindex="0" role="application" aria-label="Runs by time" onKeyDown=${press}><div style=${{ height: `${height}px` }}>
      ${bands.map((band) => html`<a key=${band.flow} class="flow" href=${to("flows", band.flow)} dir="auto" title=${band.flow} style=${{ top: `${band.y - 3}px` }}>${band.flow}</a>`)}
      <div class="plot" ref=${box} onClick=${click} onMouseMove=${(/** @type {MouseEvent} */ event) => setPicked(marks[under(event)]?.run.id ?? "")}>
        ${marks.length > MOST_ELEMENTS ? html`<${Painted} marks=${marks} height=${height} />` : html`<${Elements} marks=${marks} />`}
        ${chosen && html`<b class="chosen" style=${{ left: `${100 * chosen.x}%`, width: `max(4px, ${100 * chosen.width}%)`, top: `${chosen.y}px` }} />`}
      </div></div></div>
    <p class="axis quiet jobs-axis">${ticks.map((words, index) => html`<span key=${index}>${words}</span>`)}</p>`;
}

/** Give each run its place. @returns {{marks: Mark[], bands: Band[], height: number, left: number}} */
function placed(/** @type {Api.TimelineScreen} */ data) {
  const since = Date.parse(data.since);
  const until = Date.parse(data.until);
  const length = until - since;
  /** @type {Map<string, {run: Api.MarkView, begin: number, end: number}[]>} */
  const flows = new Map();
  for (const run of data.items) {
    const bar = { run, begin: Math.max(since, Date.parse(run.started_at)), end: Math.min(until, run.ended_at ? Date.parse(run.ended_at) : until) };
    const bars = flows.get(run.flow);
    if (bars) bars.push(bar);
    else flows.set(run.flow, [bar]);
  }
  /** @type {Mark[]} */
  const marks = [];
  /** @type {Band[]} */
  const bands = [];
  let y = 4;
  for (const [flow, bars] of [...flows].sort(([a], [b]) => a.localeCompare(b)).slice(0, MOST_FLOWS)) {
    bars.sort((a, b) => a.begin - b.begin);
    const places = lanes(bars.map(({ begin, end }) => ({ begin, end: Math.max(end, begin + length / 300) })));
    bands.push({ flow, y, from: marks.length, n: bars.length });
    bars.forEach(({ run, begin, end }, index) => marks.push({ run, x: (begin - since) / length, width: (end - begin) / length, y: y + Math.min(places[index] ?? 0, MOST_LANES - 1) * LANE }));
    y += Math.min(MOST_LANES, Math.max(...places) + 1) * LANE + GAP;
  }
  return { marks, bands, height: y, left: Math.max(0, flows.size - MOST_FLOWS) };
}

/** Give the mark to which a key leads: along the flow, or to the one nearest in time of the next flow; -1 for other keys. */
function beside(/** @type {Mark[]} */ marks, /** @type {Band[]} */ bands, /** @type {number} */ at, /** @type {string} */ key) {
  const along = { ArrowRight: 1, ArrowLeft: -1 }[key];
  const across = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (key === "Home" || ((along || across) && at < 0)) return 0;
  if (key === "End") return marks.length - 1;
  if (along) return Math.min(marks.length - 1, Math.max(0, at + along));
  if (!across) return -1;
  const here = bands.findIndex((band) => at < band.from + band.n);
  const band = bands[here + across];
  if (!band) return at;
  let best = band.from;
  for (let other = band.from; other < band.from + band.n; other++) if (gap(marks, other, at) < gap(marks, best, at)) best = other;
  return best;
}

const gap = (/** @type {Mark[]} */ marks, /** @type {number} */ a, /** @type {number} */ b) => Math.abs((marks[a]?.x ?? 0) - (marks[b]?.x ?? 0));

function said(/** @type {Api.MarkView} */ run, /** @type {string} */ now) {
  return html`of ${run.flow}: <${State} state=${run.state} /> ${span(taken(run.started_at, run.ended_at, Date.parse(now)))}, began ${full(run.started_at)}`;
}

/** @param {{marks: Mark[]}} props */
function Elements({ marks }) {
  return useMemo(() => html`${marks.map(({ run, x, width, y }) => html`<i key=${run.id} class="mark" data-kind=${kindOf(run.state)}
    style=${{ left: `${100 * x}%`, width: `max(3px, ${100 * width}%)`, top: `${y}px` }} />`)}`, [marks]);
}

/** Many marks are painted. @param {{marks: Mark[], height: number}} props */
function Painted({ marks, height }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const sizes = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    if (canvas.current) sizes.observe(canvas.current);
    return () => sizes.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (canvas.current && width) paint(canvas.current, marks, width, height);
  }, [marks, width, height, theme.value]);
  return html`<canvas ref=${canvas} style=${{ height: `${height}px` }} />`;
}

function paint(/** @type {HTMLCanvasElement} */ canvas, /** @type {Mark[]} */ marks, /** @type {number} */ width, /** @type {number} */ height) {
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.scale(devicePixelRatio, devicePixelRatio);
  const style = getComputedStyle(canvas);
  /** @type {Map<string, string>} */
  const colours = new Map();
  for (const { run, x, width: share, y } of marks) {
    const kind = kindOf(run.state);
    const colour = colours.get(kind) ?? style.getPropertyValue(`--${kind}`);
    colours.set(kind, colour);
    const left = x * width;
    const wide = Math.max(3, share * width);
    pen.fillStyle = colour;
    pen.fillRect(left, y, wide, BAR);
    if (kind !== "failed" && kind !== "crashed") continue;
    pen.fillStyle = style.getPropertyValue("--bg"); // stripes, for those who do not see the colour
    for (let stripe = 2; stripe < wide; stripe += 5) pen.fillRect(left + stripe, kind === "failed" ? y : y + BAR / 2, 1.5, kind === "failed" ? BAR : BAR / 2);
  }
}
