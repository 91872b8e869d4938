/** When each task ran: one bar each, in lanes, so that what ran at once is seen at once. Long gaps are cut. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { focusOn } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { lanes } from "../lib/lanes.js";
import { go, to } from "../lib/route.js";
import { partsOf, placeOf } from "../lib/scale.js";
import { kindOf, STATES } from "../lib/states.js";
import { theme } from "../lib/theme.js";
import { now, span, taken } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Failure } from "./notices.js";

const MOST = 1000, FEW = 200, LANE = 22, BAR = 18, HIGH = 480, LEAST = 1 / 400, MOST_ZOOM = 500;
const KINDS = new Set(Object.values(STATES).map((one) => one.kind));
/** States of a task run in which it does not run, though it has begun. */
const WAITS = new Set(["AwaitingRetry", "Pending", "Paused"]);

/** @typedef {{begin: number, end: number, kind: "runs" | "waits" | "retries"}} Stretch */
/** @typedef {{task: any, begin: number, end: number, lane: number, stretches: Stretch[], words: string, x: number, width: number}} Bar */

/** @param {{run: any, counts: any[], history: any[]}} props */
export function Timeline({ run, counts, history }) {
  const { data, error, again } = useView(withQuery(`api/ui/runs/${run.id}/tasks`, { limit: MOST }), (event) => event.kind.startsWith("task-") && event.data.run_id === run.id);
  const total = counts.reduce((n, one) => n + one.total, 0);
  if (error && !data) return html`<${Failure} error=${error} again=${again} />`;
  if (!data?.items.some((/** @type {any} */ task) => task.started_at)) return null;
  return html`<h2>Timeline ${total > MOST && html`<span class="quiet">the first ${MOST.toLocaleString("en")} of ${total.toLocaleString("en")} task runs</span>`}</h2>
    <${Chart} tasks=${data.items} run=${run} history=${history} />`;
}

/** @param {{tasks: any[], run: any, history: any[]}} props */
function Chart({ tasks, run, history }) {
  const active = tasks.some((task) => task.started_at && !task.ended_at);
  const at = active ? now.value : 0;
  const { bars, parts, n } = useMemo(() => barsOf(tasks, at), [tasks, at]);
  const [zoom, setZoom] = useState({ from: 0, to: 1 });
  const [said, setSaid] = useState("");
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const wide = zoom.to - zoom.from;

  /** Show more or less of the time around a place of what is shown, or move along. */
  function change(/** @type {number} */ by, place = 0.5, shift = 0) {
    setZoom((old) => {
      const length = Math.min(1, Math.max(1 / MOST_ZOOM, (old.to - old.from) * by));
      const from = Math.min(1 - length, Math.max(0, old.from + (old.to - old.from - length) * place + shift * length));
      return { from, to: from + length };
    });
  }
  useEffect(() => {
    const pane = box.current;
    const turn = (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
      event.preventDefault();
      const { left, width } = /** @type {HTMLElement} */ (pane).getBoundingClientRect();
      if (event.shiftKey) change(1, 0.5, (event.deltaY || event.deltaX) / 1000);
      else change(event.deltaY > 0 ? 1.25 : 0.8, (event.clientX - left) / width);
    };
    pane?.addEventListener("wheel", turn, { passive: false });
    return () => pane?.removeEventListener("wheel", turn);
  }, []);
  function press(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const items = [...(box.current?.querySelectorAll("[data-no]") ?? [])];
    const here = items.findIndex((one) => one === document.activeElement);
    if (event.key === "+" || event.key === "=") change(0.8);
    else if (event.key === "-") change(1.25);
    else if (event.key === "0") setZoom({ from: 0, to: 1 });
    else if (event.key === "<") change(1, 0.5, -0.25);
    else if (event.key === ">") change(1, 0.5, 0.25);
    else if (event.key === "ArrowDown" || event.key === "ArrowRight") focusOn(items[Math.min(items.length - 1, here + 1)]);
    else if (event.key === "ArrowUp" || event.key === "ArrowLeft") focusOn(items[Math.max(0, here - 1)]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  const view = (/** @type {number} */ x) => (100 * (x - zoom.from)) / wide;
  const marks = useMemo(() => attempts(history, parts), [history, parts]);
  const Bars = bars.length > FEW ? Canvas : Spans;
  return html`<div class="bar">
      <button onClick=${() => change(0.8)} aria-label="Show less time">+</button><button onClick=${() => change(1.25)} aria-label="Show more time">−</button>
      ${wide < 1 && html`<button onClick=${() => setZoom({ from: 0, to: 1 })}>All</button>`}
      <span class="legend quiet"><i class="runs" /> ran <i class="waits" /> waited <i class="retries" /> waited for its next attempt</span>
      <span class="quiet" role="status" dir="auto">${said}</span></div>
    <div class="timeline" ref=${box} onKeyDown=${press} title="Ctrl and the wheel show more or less time, Shift and the wheel move along">
      <${Bars} bars=${bars} n=${n} run=${run} zoom=${zoom} onSay=${setSaid} />
      ${parts.slice(1).map((part) => html`<i key=${part.begin} class="cut" aria-hidden="true" style=${{ left: `${view(part.x - 0.01)}%` }} />`)}
      ${marks.map((mark) => html`<b key=${mark.x} class=${`attempt${mark.x > 0.8 ? " late" : ""}`} style=${mark.x > 0.8 ? { right: `${100 - view(mark.x)}%` } : { left: `${view(mark.x)}%` }}><span>${mark.words}</span></b>`)}
    </div>
    <p class="times quiet">${parts.map((part, index) => html`<span key=${part.begin} style=${part.x > 0.5 ? { right: `${100 - view(part.x)}%` } : { left: `${view(part.x)}%` }}>${index ? `${span((part.begin - (parts[index - 1]?.end ?? 0)) / 1000)} later` : "0s"}</span>`)}
      ${view(parts.at(-1)?.x ?? 0) < 80 && html`<span class="end">${span(((parts.at(-1)?.end ?? 0) - (parts[0]?.begin ?? 0)) / 1000)}</span>`}</p>`;
}

/** Give bars with their places, in the order in which they begin. */
function barsOf(/** @type {any[]} */ tasks, /** @type {number} */ at) {
  const found = tasks
    .filter((task) => task.started_at)
    .map((task) => ({ task, begin: Date.parse(task.started_at), end: task.ended_at ? Date.parse(task.ended_at) : at }))
    .sort((a, b) => a.begin - b.begin || a.task.no - b.task.no);
  const parts = partsOf(found);
  const places = found.map((bar) => {
    const x = placeOf(parts, bar.begin);
    return { x, width: Math.max(LEAST, placeOf(parts, bar.end) - x) };
  });
  const rows = lanes(places.map(({ x, width }) => ({ begin: x, end: x + width })));
  const bars = found.map((bar, index) => {
    const { task } = bar;
    const words = `${task.name}: ${task.state} ${span(taken(task.started_at, task.ended_at, at))}${task.attempt > 1 ? `, attempt ${task.attempt}` : ""}${task.message ? `. ${task.message}` : ""}`;
    return { ...bar, ...(places[index] ?? { x: 0, width: 0 }), lane: rows[index] ?? 0, words, stretches: stretchesOf(bar, parts) };
  });
  return { bars, parts, n: Math.max(0, ...rows) + 1 };
}

/** Give where a bar waited before it began, and between its attempts; places between 0 and 1. */
function stretchesOf(/** @type {{task: any, begin: number, end: number}} */ { task, begin, end }, /** @type {import("../lib/scale.js").Part[]} */ parts) {
  /** @type {Stretch[]} */
  const found = [];
  const made = Date.parse(task.created_at);
  if (begin - made > 50) found.push({ begin: placeOf(parts, made), end: placeOf(parts, begin), kind: "waits" });
  const steps = task.steps ?? [];
  for (const [index, step] of steps.entries()) {
    if (!WAITS.has(step.state) || Date.parse(step.at) < begin) continue;
    const until = steps[index + 1] ? Date.parse(steps[index + 1].at) : end;
    found.push({ begin: placeOf(parts, Date.parse(step.at)), end: placeOf(parts, until), kind: "retries" });
  }
  return found;
}

/** Give where further attempts and epochs of the flow run begin. */
function attempts(/** @type {any[]} */ history, /** @type {import("../lib/scale.js").Part[]} */ parts) {
  const found = [];
  let last = "";
  for (const change of history) {
    if (change.state !== "Running" && change.state !== "Retrying") continue;
    const words = change.epoch > 1 ? `epoch ${change.epoch}${change.attempt > 1 ? `, attempt ${change.attempt}` : ""}` : `attempt ${change.attempt}`;
    const at = Date.parse(change.at);
    const next = parts.find((part) => part.end >= at); // one that begins in a gap is seen at its end
    if (last && words !== last) found.push({ x: placeOf(parts, Math.max(at, next?.begin ?? at)), words });
    last = words;
  }
  return found;
}

/** @typedef {{bars: Bar[], n: number, run: any, zoom: {from: number, to: number}, onSay: (words: string) => void}} BarsProps */

const pageOf = (/** @type {any} */ run, /** @type {Bar} */ bar) => to("runs", run.id, "tasks", String(bar.task.no));

/** Few bars: each an element. @param {BarsProps} props */
function Spans({ bars, n, run, zoom, onSay }) {
  const start = performance.now();
  useLayoutEffect(() => void performance.measure("ostinato:timeline-paint", { start, detail: { bars: bars.length } }), [bars]);
  const wide = zoom.to - zoom.from;
  const left = (/** @type {number} */ x) => `${(100 * (x - zoom.from)) / wide}%`;
  return html`<div class="painted" style=${{ height: `${Math.min(HIGH, n * LANE + 4)}px` }}><div role="list" aria-label="Task runs by time" style=${{ height: `${n * LANE + 4}px` }}>${bars.map((bar, index) => html`<span key=${bar.task.no} role="listitem">
      ${bar.stretches.map((part) => html`<i class=${part.kind} style=${{ left: left(part.begin), width: `${(100 * (part.end - part.begin)) / wide}%`, top: `${bar.lane * LANE}px` }} />`)}
      <a class="bar-of-task" data-kind=${kindOf(bar.task.state)} data-no=${bar.task.no} href=${pageOf(run, bar)} title=${bar.words} aria-label=${bar.words} tabindex=${index ? -1 : 0}
        onFocus=${() => onSay(bar.words)} onMouseEnter=${() => onSay(bar.words)}
        style=${{ left: left(bar.x), width: `max(3px, ${(100 * bar.width) / wide}%)`, top: `${bar.lane * LANE}px` }}>${bar.task.name}</a></span>`)}</div></div>`;
}

/** Many bars: painted, with the same ones as a list for keys and for those who do not see them. @param {BarsProps} props */
function Canvas({ bars, n, run, zoom, onSay }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const pane = useRef(/** @type {HTMLElement | null} */ (null));
  const [here, setHere] = useState(-1);
  const [width, setWidth] = useState(0);
  const high = Math.min(HIGH, n * LANE + 4);
  const colour = colours(theme.value);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0));
    if (pane.current) watch.observe(pane.current);
    return () => watch.disconnect();
  }, []);
  const draw = () => canvas.current && pane.current && width && paint(canvas.current, bars, zoom, colour, { width, high, top: pane.current.scrollTop, here });
  useLayoutEffect(() => void draw(), [bars, zoom, here, width, colour]);
  /** Give the bar below the pointer. */
  function under(/** @type {MouseEvent} */ event) {
    const { left, top } = /** @type {HTMLElement} */ (canvas.current).getBoundingClientRect();
    const x = zoom.from + ((event.clientX - left) / width) * (zoom.to - zoom.from);
    const lane = Math.floor((event.clientY - top + (pane.current?.scrollTop ?? 0)) / LANE);
    const near = (3 / width) * (zoom.to - zoom.from);
    return bars.find((bar) => bar.lane === lane && bar.x <= x && x <= bar.x + Math.max(bar.width, near));
  }
  function focus(/** @type {number} */ index) {
    const bar = bars[index];
    if (!bar || !pane.current) return;
    setHere(index);
    onSay(bar.words);
    const top = bar.lane * LANE;
    if (top < pane.current.scrollTop || top > pane.current.scrollTop + high - LANE) pane.current.scrollTop = top - high / 2;
  }
  return html`<div class="painted" ref=${pane} style=${{ height: `${high}px` }} onScroll=${draw}>
    <div style=${{ height: `${n * LANE}px` }}><canvas ref=${canvas} aria-hidden="true" onMouseMove=${(/** @type {MouseEvent} */ event) => onSay(under(event)?.words ?? "")}
      onClick=${(/** @type {MouseEvent} */ event) => {
        const bar = under(event);
        if (bar) go(pageOf(run, bar));
      }} /></div>
    <ul class="unseen" aria-label="Task runs by time">${bars.map((bar, index) => html`<li key=${bar.task.no}><a data-no=${bar.task.no} href=${pageOf(run, bar)} tabindex=${index === Math.max(0, here) ? 0 : -1} onFocus=${() => focus(index)}>${bar.words}</a></li>`)}</ul></div>`;
}

/** @type {{theme: string, colour: (name: string) => string}} */
let palette = { theme: "", colour: () => "" };

/** Give the colours of a theme; asked once, since asking has the whole page laid out. */
function colours(/** @type {string} */ name) {
  if (palette.theme !== name) {
    const style = getComputedStyle(document.documentElement);
    const all = new Map([...KINDS, "line", "bg", "accent", "on-accent"].map((one) => [one, style.getPropertyValue(`--${one}`)]));
    palette = { theme: name, colour: (one) => all.get(one) ?? "" };
  }
  return palette.colour;
}

/**
 * Paint the bars of the lanes that are on the screen.
 * @param {HTMLCanvasElement} canvas
 * @param {Bar[]} bars
 * @param {{from: number, to: number}} zoom
 * @param {(name: string) => string} colour
 * @param {{width: number, high: number, top: number, here: number}} view
 */
function paint(canvas, bars, zoom, colour, { width, high, top, here }) {
  const start = performance.now();
  const sharp = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * sharp) || canvas.height !== Math.round(high * sharp)) {
    canvas.width = Math.round(width * sharp);
    canvas.height = Math.round(high * sharp);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${high}px`;
  }
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.clearRect(0, 0, width, high);
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const scale = width / (zoom.to - zoom.from);
  for (const [index, bar] of bars.entries()) {
    const y = bar.lane * LANE - top;
    const x = (bar.x - zoom.from) * scale;
    const long = Math.max(3, bar.width * scale);
    if (y < -LANE || y > high || x > width || x + long < 0) continue;
    pen.fillStyle = colour(kindOf(bar.task.state));
    pen.fillRect(x, y, long, BAR);
    for (const part of bar.stretches) {
      pen.fillStyle = colour(part.kind === "waits" ? "line" : "bg");
      pen.fillRect((part.begin - zoom.from) * scale, y + BAR - 6, (part.end - part.begin) * scale, 4);
    }
    if (kindOf(bar.task.state) === "failed") { // so that it is seen without colours
      pen.fillStyle = colour("bg");
      for (let at = x + 3; at < x + long; at += 6) pen.fillRect(at, y, 1, BAR);
    }
    if (long > 40) {
      pen.fillStyle = colour("on-accent");
      pen.fillText(bar.task.name.slice(0, Math.floor((long - 6) / 6)), x + 4, y + BAR / 2);
    }
    if (index === here) {
      pen.strokeStyle = colour("accent");
      pen.lineWidth = 2;
      pen.strokeRect(x - 1, y - 1, long + 2, BAR + 2);
    }
  }
  performance.measure("ostinato:timeline-paint", { start, detail: { bars: bars.length } });
}
