/** Log lines: the newest first loaded, followed as they come, searched, filtered by level, copied. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { listen } from "../lib/feed.js";
import { html } from "../lib/html.js";
import { clock, full } from "../lib/time.js";
import { Copy, Failure } from "./notices.js";

const MOST = 1000;
const LEVELS = /** @type {const} */ (["All", "INFO", "WARNING", "ERROR"]);
const RANK = /** @type {Record<string, number>} */ ({ DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 });

/** @param {{run: any, lines: any[]}} props */
export function Logs({ run, lines: first }) {
  const [lines, setLines] = useState(first);
  const [error, setError] = useState(/** @type {any} */ (null));
  const [level, setLevel] = useState("All");
  const [text, setText] = useState("");
  const [follows, setFollows] = useState(true);
  const newest = useRef(0);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  newest.current = lines.at(-1)?.id ?? 0;

  useEffect(() => {
    let busy = false;
    return listen((events) => {
      if (busy || !events.some((event) => event.kind === "reload" || (event.kind === "logged" && event.data.run_id === run.id))) return;
      busy = true;
      void later();
    });
    async function later() {
      try {
        const page = await ask(withQuery(`api/runs/${run.id}/logs`, { after: newest.current, limit: MOST }));
        setLines((old) => [...old, ...page.items.filter((/** @type {any} */ line) => line.id > (old.at(-1)?.id ?? 0))].slice(-2 * MOST));
        setError(null);
      } catch (problem) {
        setError(problem);
      }
      busy = false;
    }
  }, [run.id]);

  useEffect(() => {
    if (follows && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, follows, level, text]);

  async function earlier() {
    try {
      setFollows(false);
      setLines((await ask(withQuery(`api/runs/${run.id}/logs`, { tail: "true", limit: MOST }))).items);
      setError(null);
    } catch (problem) {
      setError(problem);
    }
  }

  const least = RANK[level] ?? 0;
  const word = text.toLowerCase();
  const shown = lines.filter((line) => (RANK[line.level] ?? 20) >= least && (!word || `${line.task ?? ""} ${line.text}`.toLowerCase().includes(word)));
  return html`<div class="bar">
      <input type="search" data-search aria-label="Search the lines" placeholder="Search the lines" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
      <select aria-label="Least level" value=${level} onChange=${(/** @type {any} */ event) => setLevel(event.currentTarget.value)}>${LEVELS.map((one) => html`<option key=${one}>${one}</option>`)}</select>
      <label><input type="checkbox" checked=${follows} onChange=${(/** @type {any} */ event) => setFollows(event.currentTarget.checked)} /> Follow</label>
      <${Copy} text=${shown.map((line) => `${line.at} ${line.level} ${line.task ?? ""} ${line.text}`).join("\n")} words="Copy lines" />
      <span class="quiet" role="status">${shown.length.toLocaleString("en")} of ${lines.length.toLocaleString("en")} lines</span>
      ${lines.length === first.length && first.length >= 200 && html`<button onClick=${earlier}>Show ${MOST.toLocaleString("en")} lines</button>`}
    </div>
    ${run.n_logs_dropped > 0 && html`<p class="notice">${run.n_logs_dropped.toLocaleString("en")} lines were dropped under pressure.</p>`}
    ${error && html`<${Failure} error=${error} />`}
    <div class="logs" ref=${box} tabindex="0" role="log" aria-label="Log lines">
      ${shown.map((line) => html`<p key=${line.id} data-level=${line.level}><time title=${full(line.at)}>${clock(line.at)}</time><b>${line.level}</b><span>${line.task && html`<i>${line.task}</i> `}${line.text}</span></p>`)}
      ${!shown.length && html`<p class="quiet">${lines.length ? "No line matches." : "No line yet."}</p>`}
    </div>`;
}
