/** When each task and each subflow ran: one bar each, in lanes, so that what ran at once is seen at once. Long gaps are cut. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { focusOn } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { lanes } from "../lib/lanes.js";
import { called, cut } from "../lib/names.js";
import { go, to } from "../lib/route.js";
import { partsOf, placeOf, ticksOf } from "../lib/scale.js";
import { glyphOf, kindOf, STATES } from "../lib/states.js";
import { theme } from "../lib/theme.js";
import { full, now, span, taken } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Failure } from "./notices.js";

const MOST = 1000, FEW = 200, LANE = 22, BAR = 18, HIGH = 480, LEAST = 1 / 400, MOST_ZOOM = 500;
/** Room that a label takes: its letters, those of other scripts, and around it. Fewer letters than these say nothing. */
const LETTER = 7.2, WIDE_LETTER = 13, PAD = 8, LEAST_LETTERS = 7;
/** States of a task run in which it does not run, though it has begun. */
const WAITS = new Set(["AwaitingRetry", "Pending", "Paused"]);
/** States of a flow run in which it goes on. */
const GOES_ON = new Set(["Running", "Retrying", "Cancelling"]);

/** @typedef {import("../lib/scale.js").Part} Part */
/** @typedef {{begin: number, end: number, kind: "runs" | "waits" | "retries"}} Stretch */
/** A task run or subflow run that has begun. @typedef {{one: any, isFlow: boolean, begin: number, end: number}} Call */
/** A call in its place; `x`, `width` and what is `free` beside it are shares of the scale, `wide` is how many pixels its name takes. @typedef {Call & ReturnType<typeof toldOf> & {x: number, width: number, free: number, lane: number, stretches: Stretch[]}} Bar */

/** @param {{run: any, counts: any[], history: any[], subflows: any[]}} props */
export function Timeline({ run, counts, history, subflows }) {
  const { data, error, again } = useView(withQuery(`api/ui/runs/${run.id}/tasks`, { limit: MOST }), (event) => event.kind.startsWith("task-") && event.data.run_id === run.id);
  const total = counts.reduce((n, one) => n + one.total, 0);
  if (error && !data) return html`<${Failure} error=${error} again=${again} />`;
  if (!data || ![...data.items, ...subflows].some((one) => one.started_at)) return null;
  return html`<h2>Timeline ${total > MOST && html`<span class="quiet">the first ${MOST.toLocaleString("en")} of ${total.toLocaleString("en")} task runs</span>`}</h2>
    <${Chart} run=${run} tasks=${data.items} subflows=${subflows} history=${history} />`;
}

/** @param {{run: any, tasks: any[], subflows: any[], history: any[]}} props */
function Chart({ run, tasks, subflows, history }) {
  const until = run.ended_at ? Date.parse(run.ended_at) : now.value;
  const { bars, parts, n } = useMemo(() => barsOf(run, tasks, subflows, history, until), [tasks, subflows, history, until]);
  const [zoom, setZoom] = useState({ from: 0, to: 1 });
  const [said, setSaid] = useState("");
  const [width, setWidth] = useState(0);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const pane = useRef(/** @type {HTMLElement | null} */ (null));
  const Bars = bars.length > FEW ? Canvas : Spans;
  const scale = width / (zoom.to - zoom.from);
  const left = (/** @type {number} */ x) => (x - zoom.from) * scale;

  /** Show more or less of the time around a place of what is shown, or move along. */
  function change(/** @type {number} */ by, place = 0.5, shift = 0) {
    setZoom((old) => {
      const length = Math.min(1, Math.max(1 / MOST_ZOOM, (old.to - old.from) * by));
      const from = Math.min(1 - length, Math.max(0, old.from + (old.to - old.from - length) * place + shift * length));
      return { from, to: from + length };
    });
  }
  useLayoutEffect(() => {
    const look = () => setWidth(pane.current?.clientWidth ?? 0);
    const watch = new ResizeObserver(look);
    if (pane.current) watch.observe(pane.current);
    look();
    return () => watch.disconnect();
  }, [Bars]);
  useEffect(() => {
    const shown = box.current;
    const turn = (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
      event.preventDefault();
      const frame = /** @type {HTMLElement} */ (shown).getBoundingClientRect();
      if (event.shiftKey) change(1, 0.5, (event.deltaY || event.deltaX) / 1000);
      else change(event.deltaY > 0 ? 1.25 : 0.8, (event.clientX - frame.left) / frame.width);
    };
    shown?.addEventListener("wheel", turn, { passive: false });
    return () => shown?.removeEventListener("wheel", turn);
  }, []);
  function press(/** @type {KeyboardEvent} */ event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const items = [...(box.current?.querySelectorAll("[data-bar]") ?? [])];
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
  const marks = useMemo(() => attempts(history, parts), [history, parts]);
  const times = timesOf(parts, zoom, width);
  return html`<div class="bar">
      <button onClick=${() => change(0.8)} aria-label="Show less time">+</button><button onClick=${() => change(1.25)} aria-label="Show more time">−</button>
      ${zoom.to - zoom.from < 1 && html`<button onClick=${() => setZoom({ from: 0, to: 1 })}>All</button>`}
      <span class="legend quiet"><i class="runs" /> ran ${subflows.length > 0 && html`<i class="flow" /> subflow `}<i class="waits" /> waited <i class="retries" /> waited for its next attempt</span>
      <span class="quiet" role="status" dir="auto">${said}</span></div>
    <div class="timeline" ref=${box} onKeyDown=${press} title="Ctrl and the wheel show more or less time, Shift and the wheel move along">
      ${times.map((one) => html`<i key=${one.at} class="tick" aria-hidden="true" style=${{ left: `${one.left}px` }} />`)}
      <${Bars} bars=${bars} n=${n} zoom=${zoom} width=${width} pane=${pane} onSay=${setSaid} />
      ${parts.slice(1).map((part) => html`<i key=${part.begin} class="cut" aria-hidden="true" style=${{ left: `${left(part.x - 0.01)}px` }} />`)}
      ${marks.map((mark) => html`<b key=${mark.x} class=${`attempt${mark.x > 0.8 ? " late" : ""}`} style=${mark.x > 0.8 ? { right: `${width - left(mark.x)}px` } : { left: `${left(mark.x)}px` }}><span>${mark.words}</span></b>`)}
    </div>
    <p class="times quiet">${times.map(({ at, words, left, isLast }) => {
      const instant = new Date(at).toISOString();
      return html`<time key=${at} class=${isLast ? "last" : undefined} datetime=${instant} title=${full(instant)} tabindex="0"
        style=${isLast ? { right: `${width - left}px` } : { left: `${left}px` }} onFocus=${() => setSaid(`${words}: ${full(instant)}`)}>${words}</time>`;
    })}</p>`;
}

/** Give what ran with its place, in the order in which it began, subflows above; from the beginning of the run to its end. */
function barsOf(/** @type {any} */ run, /** @type {any[]} */ tasks, /** @type {any[]} */ subflows, /** @type {any[]} */ history, /** @type {number} */ until) {
  const ms = (/** @type {string | null | undefined} */ at) => (at ? Date.parse(at) : until);
  const begun = (/** @type {any[]} */ all, /** @type {boolean} */ isFlow) => all.filter((one) => one.started_at).map((one) => ({ one, isFlow, begin: ms(one.started_at), end: ms(one.ended_at) })).sort((a, b) => a.begin - b.begin);
  const groups = [begun(subflows, true), begun(tasks, false)];
  const running = history.flatMap((change, at) => (GOES_ON.has(change.state) ? [{ begin: ms(change.at), end: ms(history[at + 1]?.at) }] : []));
  const parts = partsOf([...groups.flat(), ...running.flatMap(({ begin, end }) => [{ begin, end: begin }, { begin: end, end }])], running);
  let n = 0;
  const bars = groups.flatMap((some) => {
    const places = some.map(({ begin, end }) => {
      const x = Math.min(1 - LEAST, placeOf(parts, begin));
      return { begin: x, end: Math.max(x + LEAST, placeOf(parts, end)) };
    });
    const rows = lanes(places);
    const first = n;
    n += Math.max(-1, ...rows) + 1;
    return some.map((call, at) => {
      const { begin: x = 0, end = 0 } = places[at] ?? {};
      return { ...call, ...toldOf(run, call, until), x, width: end - x, free: 0, lane: first + (rows[at] ?? 0), stretches: call.isFlow ? [] : stretchesOf(call, parts) };
    });
  });
  /** Where the next bar of a lane begins, or begins to wait. @type {Map<number, number>} */
  const next = new Map();
  for (const bar of bars.toReversed()) {
    const limit = next.get(bar.lane) ?? 1;
    bar.free = Math.max(0, limit - bar.x - bar.width);
    next.set(bar.lane, Math.min(limit, bar.x, ...bar.stretches.map((one) => one.begin)));
  }
  return { bars, parts, n };
}

/** Give what is said of a call, and its page. */
function toldOf(/** @type {any} */ run, /** @type {Call} */ { one, isFlow }, /** @type {number} */ until) {
  const name = isFlow ? `${glyphOf(one.state)} ${one.flow} ${one.name}` : called(one.name);
  const rest = `: ${one.state} ${span(taken(one.started_at, one.ended_at, until))}${one.attempt > 1 ? `, attempt ${one.attempt}` : ""}${one.message ? `. ${one.message}` : ""}`;
  return {
    name, wide: name.length * (/[^\0-\u02ff\u2000-\u2bff]/.test(name) ? WIDE_LETTER : LETTER), kind: kindOf(one.state),
    words: (isFlow ? `subflow ${one.name} of ${one.flow}` : name) + rest, title: one.name + rest,
    href: isFlow ? to("runs", one.id) : to("runs", run.id, "tasks", String(one.no)),
  };
}

/** Give where a task run waited before it began, and between its attempts; places between 0 and 1. */
function stretchesOf(/** @type {Call} */ { one, begin, end }, /** @type {Part[]} */ parts) {
  /** @type {Stretch[]} */
  const found = [];
  const made = Date.parse(one.created_at);
  if (begin - made > 50) found.push({ begin: placeOf(parts, made), end: placeOf(parts, begin), kind: "waits" });
  const steps = one.steps ?? [];
  for (const [index, step] of steps.entries()) {
    if (!WAITS.has(step.state) || Date.parse(step.at) < begin) continue;
    const until = steps[index + 1] ? Date.parse(steps[index + 1].at) : end;
    found.push({ begin: placeOf(parts, Date.parse(step.at)), end: placeOf(parts, until), kind: "retries" });
  }
  return found;
}

/** Give where further attempts and epochs of the flow run begin. */
function attempts(/** @type {any[]} */ history, /** @type {Part[]} */ parts) {
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

/** Give the times below the bars that have room there: the end, what comes after a gap, and round ones since the beginning. */
function timesOf(/** @type {Part[]} */ parts, /** @type {{from: number, to: number}} */ zoom, /** @type {number} */ width) {
  const said = (/** @type {number} */ ms) => (ms ? span(ms / 1000).replace(".0s", "s") : "0s");
  const later = parts.slice(1).map(({ begin, x }, index) => ({ at: begin, x, words: `${said(begin - (parts[index]?.end ?? 0))} later` }));
  const ends = parts.slice(-1).map(({ end, x, width }) => ({ at: end, x: x + width, words: `end ${said(end - (parts[0]?.begin ?? 0))}` }));
  const ticks = ticksOf(parts, zoom.from, zoom.to).map(({ at, x, part, after_ms }) => ({ at, x, words: (part ? "+" : "") + said(after_ms) }));
  /** @type {{at: number, words: string, left: number, first: number, size: number, isLast: boolean}[]} */
  const shown = [];
  for (const { at, x, words } of [...ends, ...later, ...ticks]) {
    const left = ((x - zoom.from) / (zoom.to - zoom.from)) * width;
    const size = words.length * LETTER + PAD;
    const isLast = left + size > width;
    const first = isLast ? left - size : left;
    if (left > -1 && left < width + 1 && shown.every((one) => first >= one.first + one.size || one.first >= first + size)) shown.push({ at, words, left, first, size, isLast });
  }
  return shown;
}

/** Give the label of a bar that lies from `left` on: in it, beside it where it is too short, or without its middle where there is no room. */
function labelOf(/** @type {Bar} */ bar, /** @type {number} */ left, /** @type {number} */ long, /** @type {number} */ scale) {
  const begin = Math.max(0, left);
  const room = left + long - begin - PAD;
  if (room >= bar.wide) return { text: bar.name, x: begin, isBeside: false };
  if (bar.free * scale - PAD >= bar.wide) return { text: bar.name, x: left + long, isBeside: true };
  const most = Math.floor((room * bar.name.length) / bar.wide);
  return most >= LEAST_LETTERS ? { text: cut(bar.name, most), x: begin, isBeside: false } : null;
}

/** @typedef {{bars: Bar[], n: number, zoom: {from: number, to: number}, width: number, pane: {current: HTMLElement | null}, onSay: (words: string) => void}} BarsProps */

/** Few bars: each an element. @param {BarsProps} props */
function Spans({ bars, n, zoom, width, pane, onSay }) {
  const start = performance.now();
  useLayoutEffect(() => void (width && performance.measure("ostinato:timeline-paint", { start, detail: { bars: bars.length } })), [bars, width]);
  const scale = width / (zoom.to - zoom.from);
  const left = (/** @type {number} */ x) => (x - zoom.from) * scale;
  return html`<div class="painted" ref=${pane} style=${{ height: `${Math.min(HIGH, n * LANE + 4)}px` }}><div role="list" aria-label="Task runs by time" style=${{ height: `${n * LANE + 4}px` }}>${width > 0 && bars.map((bar, index) => {
    const top = `${bar.lane * LANE}px`;
    const long = Math.max(3, bar.width * scale);
    const label = labelOf(bar, left(bar.x), long, scale);
    const inside = label?.isBeside ? "" : label?.text;
    return html`<span key=${bar.href} role="listitem">
      ${bar.stretches.map((part) => html`<i class=${part.kind} style=${{ left: `${left(part.begin)}px`, width: `${(part.end - part.begin) * scale}px`, top }} />`)}
      <a class=${`bar-of-task${bar.isFlow ? " flow" : ""}`} data-kind=${bar.kind} data-bar href=${bar.href} title=${bar.title} aria-label=${bar.words} tabindex=${index ? -1 : 0}
        onFocus=${() => onSay(bar.words)} onMouseEnter=${() => onSay(bar.words)}
        style=${{ left: `${left(bar.x)}px`, width: `${long}px`, top, paddingLeft: inside ? `${Math.max(4, 4 - left(bar.x))}px` : 0 }}><bdi>${inside}</bdi></a>
      ${label?.isBeside && html`<b class="beside-bar" aria-hidden="true" style=${{ left: `${label.x + 4}px`, top }}><bdi>${label.text}</bdi></b>`}</span>`;
  })}</div></div>`;
}

/** Many bars: painted, with the same ones as a list for keys and for those who do not see them. @param {BarsProps} props */
function Canvas({ bars, n, zoom, width, pane, onSay }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [here, setHere] = useState(-1);
  const high = Math.min(HIGH, n * LANE + 4);
  const look = looks(theme.value);
  const draw = () => canvas.current && pane.current && width && paint(canvas.current, bars, zoom, look, { width, high, top: pane.current.scrollTop, here });
  useLayoutEffect(() => void draw(), [bars, zoom, here, width, high, look]);
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
    <div style=${{ height: `${n * LANE}px` }}><canvas ref=${canvas} aria-hidden="true" style=${{ width: `${width}px`, height: `${high}px` }} onMouseMove=${(/** @type {MouseEvent} */ event) => {
      const bar = under(event);
      onSay(bar?.words ?? "");
      /** @type {HTMLElement} */ (event.currentTarget).title = bar?.title ?? "";
    }}
      onClick=${(/** @type {MouseEvent} */ event) => {
        const bar = under(event);
        if (bar) go(bar.href);
      }} /></div>
    <ul class="unseen" aria-label="Task runs by time">${width > 0 && bars.map((bar, index) => html`<li key=${bar.href}><a data-bar href=${bar.href} tabindex=${index === Math.max(0, here) ? 0 : -1} onFocus=${() => focus(index)}>${bar.words}</a></li>`)}</ul></div>`;
}

/** @type {{theme: string, look: (name: string) => string}} */
let palette = { theme: "", look: () => "" };

/** Give the colours and the font of a theme; asked once, since asking has the whole page laid out. */
function looks(/** @type {string} */ name) {
  if (palette.theme !== name) {
    const style = getComputedStyle(document.documentElement);
    const all = new Map([...Object.values(STATES).map((one) => one.kind), "line", "bg", "text", "accent", "on-accent", "font"].map((one) => [one, style.getPropertyValue(`--${one}`)]));
    palette = { theme: name, look: (one) => all.get(one) ?? "" };
  }
  return palette.look;
}

/**
 * Paint the bars of the lanes that are on the screen, all of one colour together: a change of colour or font takes long.
 * @param {HTMLCanvasElement} canvas
 * @param {Bar[]} bars
 * @param {{from: number, to: number}} zoom
 * @param {(name: string) => string} look
 * @param {{width: number, high: number, top: number, here: number}} view
 */
function paint(canvas, bars, zoom, look, { width, high, top, here }) {
  const start = performance.now();
  const sharp = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * sharp) || canvas.height !== Math.round(high * sharp)) {
    canvas.width = Math.round(width * sharp);
    canvas.height = Math.round(high * sharp);
  }
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.setTransform(sharp, 0, 0, sharp, 0, 0);
  pen.clearRect(0, 0, width, high);
  const scale = width / (zoom.to - zoom.from);
  const place = (/** @type {number} */ x) => (x - zoom.from) * scale;
  /** @type {{bar: Bar, x: number, y: number, long: number}[]} */
  const seen = [];
  for (const bar of bars) {
    const y = bar.lane * LANE - top;
    if (y <= -LANE || y >= high) continue;
    const x = place(bar.x), long = Math.max(3, bar.width * scale);
    if (x < width && x + long > 0) seen.push({ bar, x, y, long });
  }
  const stretch = (/** @type {Bar} */ bar, /** @type {number} */ y, /** @type {boolean} */ waits) => bar.stretches.forEach((one) => (one.kind === "waits") === waits && pen.fillRect(place(one.begin), y + BAR - 4, (one.end - one.begin) * scale, 3));
  pen.fillStyle = look("line");
  for (const { bar, y } of seen) if (bar.stretches.length) stretch(bar, y, true);
  for (const kind of new Set(seen.map(({ bar }) => bar.kind))) {
    pen.fillStyle = look(kind);
    for (const { bar, x, y, long } of seen) if (bar.kind === kind) pen.fillRect(x, y, Math.max(2, long - 1), BAR); // what follows at once is seen apart
  }
  pen.fillStyle = look("bg");
  for (const { bar, x, y, long } of seen) {
    if (bar.stretches.length) stretch(bar, y, false);
    if (bar.isFlow) pen.fillRect(x + 1.5, y + 1.5, long - 4, BAR - 3);
    else if (bar.kind === "failed" || bar.kind === "crashed") { // stripes, for those who do not see the colour
      const above = bar.kind === "failed" ? 0 : BAR / 2;
      for (let at = 3; at < long; at += 6) pen.fillRect(x + at, y + above, 1, BAR - above);
    }
  }
  const labels = seen.flatMap(({ bar, x, y, long }) => {
    const label = labelOf(bar, x, long, scale);
    return label ? { ...label, y: y + BAR / 2, ink: label.isBeside || bar.isFlow ? "text" : "on-accent" } : [];
  });
  if (labels.length) {
    pen.font = `12px ${look("font")}`;
    pen.textBaseline = "middle";
  }
  for (const ink of ["on-accent", "text"]) {
    pen.fillStyle = look(ink);
    for (const one of labels) if (one.ink === ink) pen.fillText(one.text, one.x + 4, one.y);
  }
  const chosen = bars[here];
  if (chosen) {
    pen.strokeStyle = look("accent");
    pen.lineWidth = 2;
    pen.strokeRect(place(chosen.x) - 1, chosen.lane * LANE - top - 1, Math.max(3, chosen.width * scale) + 2, BAR + 2);
  }
  performance.measure("ostinato:timeline-paint", { start, detail: { bars: bars.length } });
}
