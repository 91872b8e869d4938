/** Runs: all that match a query; the query is the address. */
import { useLayoutEffect, useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { html } from "../lib/html.js";
import { own } from "../lib/commands.js";
import { place, setQuery } from "../lib/route.js";
import { ORDER } from "../lib/states.js";
import { useView } from "../lib/view.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { RunTable } from "../parts/runs.js";
import { State } from "../parts/state.js";

const CONCERNS = new Set(["run-created", "run-moved", "run-dropped", "run-claimed", "stream-lost"]);
const PAGE = 100;
const BULK = /** @type {const} */ (["cancel", "retry", "delete"]);

export function Runs() {
  const query = place.value.query.get("q") ?? "";
  const { data, error, again } = useView(withQuery("api/ui/runs", { query, limit: PAGE }), (event) => CONCERNS.has(event.kind), 1000);
  return html`<h1>Runs</h1>
    <${QueryBar} query=${query} />
    ${data && html`<${Facets} states=${data.states} query=${query} />`}
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} rows=${12} />`}
    ${data && html`<${Pages} key=${query} first=${data} query=${query} />`}
    ${data && query && data.items.length > 0 && html`<${Bulk} query=${query} />`}`;
}

/** @param {{query: string}} props */
function QueryBar({ query }) {
  return html`<form class="query" role="search" onSubmit=${(/** @type {any} */ event) => {
    event.preventDefault();
    setQuery("q", event.currentTarget.elements.q.value.trim(), false);
  }}>
    <input name="q" data-search type="search" aria-label="Query" key=${query} defaultValue=${query} spellcheck=${false} autocomplete="off"
      placeholder="flow:train state:failed since:24h" />
    <button>Search</button>
  </form>`;
}

/** Counts of all runs by state; one click asks for one state. @param {{states: Record<string, number>, query: string}} props */
function Facets({ states, query }) {
  const rest = query.split(/\s+/).filter((term) => term && !term.startsWith("state:")).join(" ");
  return html`<nav class="facets" aria-label="States">
    <a href=${withQuery("runs", { q: rest })} aria-current=${!/(^|\s)state:/.test(query)}>All</a>
    ${ORDER.filter((state) => states[state]).map((state) => html`<a key=${state}
      href=${withQuery("runs", { q: `${rest} state:${state.toLowerCase()}`.trim() })}
      aria-current=${new RegExp(`(^|\\s)state:${state}(\\s|$)`, "i").test(query)}><${State} state=${state} /> <b>${states[state]?.toLocaleString("en")}</b></a>`)}
  </nav>`;
}

/** @param {{first: any, query: string}} props */
function Pages({ first, query }) {
  const [more, setMore] = useState(/** @type {any[]} */ ([]));
  const [next, setNext] = useState(/** @type {string | null | undefined} */ (undefined));
  const [error, setError] = useState(/** @type {any} */ (null));
  const following = next === undefined ? first.next : next;
  const seen = new Set(first.items.map((/** @type {any} */ run) => run.id));
  const runs = [...first.items, ...more.filter((run) => !seen.has(run.id))];
  async function load() {
    try {
      const page = await ask(withQuery("api/ui/runs", { query, limit: PAGE, after: following }));
      setMore([...more, ...page.items]);
      setNext(page.next);
      setError(null);
    } catch (problem) {
      setError(problem);
    }
  }
  if (!runs.length && !following) {
    return query
      ? html`<${Empty} title="No run matches"><p>Terms must all hold: <code>flow:NAME</code>, <code>state:failed</code>,
          <code>tag:gpu</code>, <code>since:24h</code>, <code>duration:>5m</code>; a minus in front turns one round.</p><//>`
      : html`<${Empty} title="No run yet"><p>Start one with <code>ostinato run FILE:FLOW</code>, or <code>ostinato demo</code>.</p><//>`;
  }
  return html`<${RunTable} runs=${runs} label="Runs" />
    ${error && html`<${Failure} error=${error} again=${load} />`}
    ${following && html`<button class="more" onClick=${load}>Show older runs</button>`}`;
}

/** What is to be done to all runs that match, not only to those on the screen. @param {{query: string}} props */
function Bulk({ query }) {
  const [said, setSaid] = useState("");
  useLayoutEffect(() => {
    own.value = BULK.map((action) => ({ keys: "", words: `${action[0]?.toUpperCase()}${action.slice(1)} all runs that match`, group: "Runs", run: () => void act(action) }));
    return () => void (own.value = []);
  }, [query]);
  async function act(/** @type {string} */ action) {
    if (!confirm(`${action[0]?.toUpperCase()}${action.slice(1)} all runs that match "${query}"?`)) return;
    let done = 0;
    /** @type {string[]} */ let refused = [];
    let after = "";
    try {
      do {
        const answer = await ask("api/runs/bulk", { method: "POST", body: { query, action, after } });
        done += answer.done.length;
        refused = [...refused, ...answer.refused.map((/** @type {any} */ one) => one.detail)];
        after = answer.next ?? "";
      } while (after);
      setSaid(`${done} done${refused.length ? `, ${refused.length} refused: ${refused[0]}` : ""}.`);
    } catch (problem) {
      setSaid(`${done} done, then: ${problem instanceof Error ? problem.message : problem}`);
    }
  }
  return html`<p class="bulk">All that match: ${BULK.map((action) => html`<button key=${action} onClick=${() => act(action)}>${action}</button>`)}
    <span role="status">${said}</span></p>`;
}
