/** Log lines of a run: the end first, any place of it by pages; followed, searched as a whole, chosen and copied. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { withQuery } from "../lib/api.js";
import { focusOn } from "../lib/commands.js";
import { listen } from "../lib/feed.js";
import { useSearch } from "../lib/hits.js";
import { html } from "../lib/html.js";
import { rowsOf, Stretch } from "../lib/lines.js";
import { called } from "../lib/names.js";
import { place } from "../lib/route.js";
import { clock, full, zone } from "../lib/time.js";
import { Failure } from "./notices.js";

const ROW = 20, AROUND = 20, NEAR = 600, HIGH = 640, MOST_WRAPPED = 600, FOLDED = 50;
/** As many lines come with the page of a run. */
const FIRST = 200;
const LEVELS = /** @type {const} */ ([[0, "All levels"], [20, "INFO"], [30, "WARNING"], [40, "ERROR"]]);
const ANY = -1;
/** @typedef {import("../lib/lines.js").Row} Row */

/** @param {{run: {id: string, n_logs_dropped?: number}, lines: any[], span: [number, number], task?: number}} props */
export function Logs({ run, lines: first, span, task }) {
  const [level, setLevel] = useState(0);
  const [no, setNo] = useState(task ?? ANY);
  const [, setTurn] = useState(0);
  const [follows, setFollows] = useState(true);
  const [wrap, setWrap] = useState(localStorage.getItem("ostinato.wrap") === "yes");
  const [open, setOpen] = useState(/** @type {Set<number>} */ (new Set()));
  const [view, setView] = useState({ top: Infinity, height: HIGH });
  const [range, setRange] = useState(/** @type {{from: string, to: string} | null} */ (null));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const held = useRef(/** @type {{key: string, offset: number} | null} */ (null));
  const wanted = useRef(0);
  const tasks = useRef(/** @type {Map<number, string>} */ (new Map()));

  const path = `api/ui/runs/${run.id}/logs`;
  const filter = useMemo(() => /** @type {Record<string, number>} */ ({ ...(level && { level }), ...(no !== ANY && { task: no }) }), [level, no]);
  const stretch = useMemo(() => {
    const found = new Stretch(path, filter, () => setTurn((turn) => turn + 1));
    if (!level && no === (task ?? ANY)) found.begin(first, first.length < FIRST);
    else void found.tail();
    return found;
  }, [path, filter]);
  useEffect(() => {
    if (!level && no === (task ?? ANY)) void stretch.later(); // what came since the page was asked for
  }, [stretch]);
  useEffect(() => {
    const line = Number(place.value.query.get("line"));
    if (line) show(line);
  }, []);
  stretch.most = wrap ? MOST_WRAPPED : 3000;
  const rows = useMemo(() => rowsOf(stretch.lines, open), [stretch, stretch.lines, open]);
  const search = useSearch(path, filter, show);
  for (const line of stretch.lines) if (line.task) tasks.current.set(line.no, line.task);

  useEffect(() => listen((events) => {
    if (!events.some((event) => event.kind === "reload" || (event.kind === "logged" && event.data.run_id === run.id))) return;
    if (follows) return void stretch.later();
    stretch.ended = false;
    setTurn((turn) => turn + 1);
  }), [stretch, follows]);

  useLayoutEffect(() => {
    const pane = box.current;
    if (!pane) return;
    if (follows) pane.scrollTop = pane.scrollHeight;
    else if (wanted.current) bring(pane);
    else if (held.current) keep(pane, held.current);
    look();
    if (stretch.from !== null && !stretch.error && pane.scrollHeight <= pane.clientHeight + NEAR) void stretch.earlier();
  }, [rows, follows, wrap]);

  /** Give the first pixel of a row. */
  function topOf(/** @type {number} */ index) {
    if (!wrap) return index * ROW;
    const row = list.current?.children[index];
    return row instanceof HTMLElement ? row.offsetTop : 0;
  }
  /** Have the same row at the top as before. */
  function keep(/** @type {HTMLElement} */ pane, /** @type {{key: string, offset: number}} */ { key, offset }) {
    const index = rows.findIndex((row) => row.key === key);
    if (index >= 0) pane.scrollTop = topOf(index) + offset;
  }
  /** Have the line that was asked for on the screen. */
  function bring(/** @type {HTMLElement} */ pane) {
    const word = search.text.toLowerCase();
    const those = rows.filter((row) => row.line.id === wanted.current);
    const row = those.find((one) => word && one.text.toLowerCase().includes(word)) ?? those[0];
    if (!row) return;
    wanted.current = 0;
    pane.scrollTop = Math.max(0, topOf(rows.indexOf(row)) - pane.clientHeight / 3);
    setRange({ from: row.key, to: row.key });
    held.current = null;
  }
  /** See what of the log is on the screen, and have more of it there when the end of it is near. */
  function look() {
    const pane = box.current;
    if (!pane) return;
    const { scrollTop: top, clientHeight: height, scrollHeight: whole } = pane;
    if (!wrap && (top !== view.top || height !== view.height)) setView({ top, height });
    let at = Math.floor(top / ROW);
    if (wrap) at = rows.findIndex((_, index) => topOf(index + 1) > top);
    const row = rows[at];
    held.current = row ? { key: row.key, offset: top - topOf(at) } : null;
    return whole - top - height;
  }
  function scrolled() {
    const below = look() ?? 0;
    const atEnd = below < 2 * ROW;
    if (follows && !atEnd) setFollows(false);
    if (!follows && atEnd && stretch.ended && !wanted.current) setFollows(true);
    if ((box.current?.scrollTop ?? NEAR) < NEAR) void stretch.earlier();
    if (below < NEAR && !stretch.ended) void stretch.later();
  }

  /** Go to a line, wherever it is. */
  function show(/** @type {number} */ id) {
    setFollows(false);
    wanted.current = id;
    void (stretch.holds(id) ? Promise.resolve() : stretch.around(id)).then(() => {
      const head = rowsOf(stretch.lines, open).findLast((row) => row.line.id <= id);
      setOpen((old) => (head?.more && !head.open ? new Set([...old, head.line.id]) : new Set(old)));
    });
  }
  /** Go to a place; lines of other runs lie between, so that it need not be a line of this one. */
  async function toPlace(/** @type {number} */ id) {
    setFollows(false);
    await stretch.around(id);
    const line = stretch.lines.find((one) => one.id >= id) ?? stretch.lines.at(-1);
    if (line) show(line.id);
  }
  async function toEnd() {
    if (!stretch.ended || stretch.error) await stretch.tail();
    setFollows(true);
  }
  async function toBegin() {
    setFollows(false);
    held.current = null;
    if (stretch.from !== null) await stretch.head();
    if (box.current) box.current.scrollTop = 0;
    const row = rowsOf(stretch.lines, open)[0];
    if (row) setRange({ from: row.key, to: row.key });
  }
  /** Show the newest lines of another level or task. */
  function filterBy(/** @type {(value: number) => void} */ set, /** @type {any} */ event) {
    set(Number(event.currentTarget.value));
    wanted.current = 0;
    setFollows(true);
  }
  function fold(/** @type {number} */ id) {
    setOpen((old) => (old.has(id) ? new Set([...old].filter((one) => one !== id)) : new Set([...old, id])));
  }

  /** Move the row that the keys are at; with `extends_` the range grows. */
  function step(/** @type {number} */ by, /** @type {boolean} */ extends_) {
    const last = rows.length - 1;
    const here = rows.findIndex((row) => row.key === range?.to);
    const visible = Math.min(last, Math.ceil(view.top / ROW));
    const next = rows[Math.max(0, Math.min(last, here < 0 ? visible : here + by))];
    const pane = box.current;
    if (!next || !pane) return;
    setRange({ from: extends_ ? (range?.from ?? next.key) : next.key, to: next.key });
    const top = topOf(rows.indexOf(next));
    if (top < pane.scrollTop) pane.scrollTop = top;
    if (top + ROW > pane.scrollTop + pane.clientHeight) pane.scrollTop = top + ROW - pane.clientHeight;
  }
  function press(/** @type {KeyboardEvent} */ event) {
    const screen = Math.max(1, Math.floor(view.height / ROW) - 1);
    const row = rows.find((one) => one.key === range?.to);
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && event.key === "c" && range && getSelection()?.isCollapsed) void copy(chosen());
    else if (isCommand || event.altKey) return;
    else if (event.key === "ArrowDown" || event.key === "j") step(1, event.shiftKey);
    else if (event.key === "ArrowUp" || event.key === "k") step(-1, event.shiftKey);
    else if (event.key === "PageDown") step(screen, event.shiftKey);
    else if (event.key === "PageUp") step(-screen, event.shiftKey);
    else if (event.key === "Home") void toBegin();
    else if (event.key === "End") void toEnd();
    else if (event.key === "Enter" && row?.more) fold(row.line.id);
    else if (event.key === "n") search.step(-1);
    else if (event.key === "N") search.step(1);
    else if (event.key === "Escape" && range) setRange(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  function click(/** @type {any} */ event) {
    const id = event.target.closest("[data-fold]")?.dataset.fold;
    const key = event.target.closest("p")?.dataset.key;
    if (id) fold(Number(id));
    else if (key && (event.shiftKey || getSelection()?.isCollapsed)) setRange({ from: event.shiftKey && range ? range.from : key, to: key });
  }
  /** Give the text of the range. */
  async function chosen() {
    const [low, high] = ends(range);
    const lines = await stretch.between(Number(low?.split(".")[0]), Number(high?.split(".")[0]));
    const [a, b] = [rows.findIndex((row) => row.key === low), rows.findIndex((row) => row.key === high)];
    const part = a >= 0 && a === b && !rows[a]?.more; // one row of an open message: only that
    return part ? `${rows[a]?.text}\n` : lines.map((line) => `${line.at} ${line.level} ${line.task ?? line.logger}: ${line.text}\n`).join("");
  }
  const whole = stretch.from === null && stretch.ended;
  const text = withQuery(`api/runs/${run.id}/logs.txt`, filter);
  const begin = wrap ? 0 : Math.max(0, Math.min(Math.floor(view.top / ROW), rows.length - Math.ceil(view.height / ROW)) - AROUND);
  const shown = rows.slice(begin, wrap ? undefined : begin + Math.ceil(view.height / ROW) + 2 * AROUND);
  const [low, high] = ends(range);
  return html`<div class="bar">
      <span class="sought"><input type="search" data-search aria-label="Search the lines" placeholder="Search all lines" value=${search.text}
        onInput=${(/** @type {any} */ event) => search.seek(event.currentTarget.value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          if (event.key === "Enter") search.step(event.shiftKey ? 1 : -1);
          if (event.key === "Escape") focusOn(list.current);
        }} />
      ${search.text && html`<button onClick=${() => search.step(-1)} aria-label="Hit before">↑</button><button onClick=${() => search.step(1)} aria-label="Next hit">↓</button>`}</span>
      <select aria-label="Least level" value=${level} onChange=${(/** @type {any} */ event) => filterBy(setLevel, event)}>${LEVELS.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select>
      ${task === undefined && html`<select aria-label="Task" value=${no} onChange=${(/** @type {any} */ event) => filterBy(setNo, event)}>
        <option value=${ANY}>All tasks</option><option value="0">The flow itself</option>
        ${[...tasks.current].slice(-100).map(([number, name]) => html`<option key=${number} value=${number}>${called(name)}</option>`)}</select>`}
      <label><input type="checkbox" checked=${follows} onChange=${(/** @type {any} */ event) => (event.currentTarget.checked ? void toEnd() : setFollows(false))} /> Follow</label>
      <label><input type="checkbox" checked=${wrap} onChange=${(/** @type {any} */ event) => {
        setWrap(event.currentTarget.checked);
        localStorage.setItem("ostinato.wrap", event.currentTarget.checked ? "yes" : "");
      }} /> Wrap</label>
      ${range && range.from !== range.to && html`<${CopyText} words="Copy range" text=${chosen} />`}
      ${range && html`<${CopyText} words="Copy link" text=${async () => linkTo(range.to)} />`}
      <${CopyText} words="Copy all" text=${async () => (await fetch(new URL(text, document.baseURI), { credentials: "same-origin" })).text()} />
      <a href=${text} download>Download</a>
      <span class="quiet" role="status">${search.text ? search.said : whole ? `${stretch.lines.length.toLocaleString("en")} ${stretch.lines.length === 1 ? "line" : "lines"}` : "part of the log"}</span>
    </div>
    ${run.n_logs_dropped ? html`<p class="notice">${run.n_logs_dropped.toLocaleString("en")} lines were dropped under pressure.</p>` : null}
    ${(stretch.error || search.error) && html`<${Failure} error=${stretch.error || search.error} again=${() => void stretch.tail()} />`}
    <div class=${`log${wrap ? " wrapped" : ""}`} ref=${box} role="log" aria-live="off" aria-label="Log lines" onScroll=${scrolled}>
      ${rows.length > 0 && html`<div role="presentation" style=${wrap ? undefined : { height: `${rows.length * ROW}px`, paddingTop: `${begin * ROW}px` }}>
        <div ref=${list} role="listbox" tabindex="0" aria-multiselectable="true" aria-label="Lines" onKeyDown=${press} onClick=${click}
          onMouseDown=${(/** @type {MouseEvent} */ event) => event.shiftKey && event.preventDefault()}
          aria-activedescendant=${shown.some((row) => row.key === range?.to) ? `line-${range?.to}` : undefined}>
          ${shown.map((row) => html`<${Line} key=${row.key} row=${row} word=${search.text} chosen=${low !== undefined && high !== undefined && order(low, row.key) <= 0 && order(row.key, high) <= 0} here=${row.key === range?.to} />`)}
        </div></div>`}
      ${!rows.length && html`<p class="quiet">${level || no !== (task ?? ANY) ? "No line of this level and task." : "No line yet."}</p>`}
    </div>
    ${!whole && html`<label class="place">Place in the log <input type="range" min=${span[0]} max=${Math.max(span[1], stretch.to)} value=${Number(held.current?.key.split(".")[0]) || span[1]}
      onChange=${(/** @type {any} */ event) => void toPlace(Number(event.currentTarget.value))} /></label>`}
    ${!follows && !stretch.ended && html`<button onClick=${toEnd}>Newest lines ↓</button>`}`;
}

/** @param {{row: Row, word: string, chosen: boolean, here: boolean}} props */
function Line({ row, word, chosen, here }) {
  const { line, own } = row;
  const [at, title] = useMemo(() => (own ? [clock(line.at), full(line.at)] : []), [line, own, zone.value]);
  return html`<p id=${`line-${row.key}`} data-key=${row.key} role="option" aria-selected=${chosen} data-here=${here} data-level=${line.level}>
    <time title=${title}>${at}</time><b>${own && line.level}</b><span>${own && line.task && html`<i title=${line.task}>${called(line.task)}</i> `}${marked(row.more && !row.open && row.text.length > FOLDED ? `${row.text.slice(0, FOLDED)}…` : row.text, word)}${row.more > 0 && html` <em data-fold=${line.id}>${row.open ? "▾ fold" : `▸ ${row.more.toLocaleString("en")} more lines`}</em>${!row.open && html` <u>${marked(row.last, word)}</u>`}`}</span></p>`;
}

/** Copies a text that has to be fetched first. @param {{words: string, text: () => Promise<string>}} props */
function CopyText({ words, text }) {
  const [said, setSaid] = useState("");
  return html`<button class="copy" onClick=${async () => {
    try {
      await copy(text());
      setSaid("Copied");
    } catch {
      setSaid("Not copied");
    }
    setTimeout(setSaid, 1200, "");
  }}>${said || words}</button>`;
}

/** Give the address of this view at a line. */
function linkTo(/** @type {string} */ key) {
  const address = new URL(location.href);
  address.searchParams.set("line", key.split(".")[0] ?? "");
  return address.href;
}

const copy = async (/** @type {Promise<string>} */ text) => navigator.clipboard.writeText(await text);

/** Give text with what was sought marked in it. */
function marked(/** @type {string} */ text, /** @type {string} */ word) {
  if (!word) return text;
  const found = [];
  const small = text.toLowerCase(), sought = word.toLowerCase();
  let begin = 0;
  for (let at = small.indexOf(sought); at >= 0; at = small.indexOf(sought, begin)) {
    found.push(text.slice(begin, at), html`<mark>${text.slice(at, at + word.length)}</mark>`);
    begin = at + word.length;
  }
  return [...found, text.slice(begin)];
}

/** Compare the places of two rows. */
function order(/** @type {string} */ a, /** @type {string} */ b) {
  const [x = 0, y = 0] = a.split(".").map(Number);
  const [v = 0, w = 0] = b.split(".").map(Number);
  return x - v || y - w;
}

/** Give the first and the last row of a range. */
function ends(/** @type {{from: string, to: string} | null} */ range) {
  return range ? [range.from, range.to].sort(order) : [];
}

