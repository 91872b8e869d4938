/** Runs: all that match a query, as a table or by time; one of them in the panel beside. The query is the address. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { COLUMNS, columns, turn } from "../lib/columns.js";
import { focusOn, offer } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { useList } from "../lib/list.js";
import { term } from "../lib/query.js";
import { go, place, setQuery, to } from "../lib/route.js";
import { ORDER } from "../lib/states.js";
import { now, span, taken } from "../lib/time.js";
import { Confirm } from "../parts/dialog.js";
import { Jobs } from "../parts/jobs.js";
import { Empty, Skeleton } from "../parts/notices.js";
import { Panel } from "../parts/panel.js";
import { Picker } from "../parts/picker.js";
import { QueryBar, SavedViews, Wrong } from "../parts/query.js";
import { said } from "../parts/runs.js";
import { State } from "../parts/state.js";
import { LongTable, reveal } from "../parts/table.js";
import { When } from "../parts/when.js";

const KINDS = new Set(["run-created", "run-moved", "run-dropped", "run-claimed"]);
const BULK = /** @type {const} */ ([["cancel", "Cancel"], ["retry", "Retry"], ["delete", "Delete"]]);
/** Ids in one query, which is at most 1,000 characters long. */
const IDS = 25;

const open = (/** @type {string} */ id) => setQuery("run", id);
const close = () => setQuery("run", "");

export function Runs() {
  const { query } = place.value;
  const text = query.get("q") ?? "";
  const isTimeline = query.get("view") === "timeline";
  const shown = query.get("run") ?? "";
  useLayoutEffect(() => (shown ? offer([{ keys: "Escape", words: "Close the panel", group: "Panel", run: close }]) : undefined), [shown]);
  const view = (/** @type {string} */ name) => withQuery(to("runs"), { q: text, view: name });
  return html`<div class="title"><h1>Runs</h1><nav class="views" aria-label="Views">
      <a href=${view("")} aria-current=${!isTimeline}>Table</a><a href=${view("timeline")} aria-current=${isTimeline}>Timeline</a></nav>${!isTimeline && html`<${Picker} words="Columns" label="Search columns" all=${Object.keys(COLUMNS)} chosen=${columns()} turn=${turn} row=${(/** @type {string} */ name) => COLUMNS[name]} none="No column is called so." />`}<${SavedViews} /></div>
    <${QueryBar} query=${text} />
    <div class="beside">
      ${isTimeline ? html`<${Jobs} query=${text} open=${open} />` : html`<${Table} key=${text} query=${text} shown=${shown} />`}
      ${shown && html`<${Panel} id=${shown} close=${close} />`}
    </div>`;
}

/** @param {{query: string, shown: string}} props */
function Table({ query, shown }) {
  const list = useList("api/ui/runs", query, KINDS);
  const see = useMemo(() => list.see.bind(list), [list]);
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [active, setActive] = useState(shown);
  const [chosen, setChosen] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  const wanted = useRef(false);
  const { items } = list;
  const names = columns();
  const at = Math.max(0, items.findIndex((run) => run.id === active));
  function toggle(/** @type {string} */ id) {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  }
  const focus = (/** @type {number} */ index) => focusOn(box.current?.querySelector(`tr[aria-rowindex="${index + 2}"]`));
  useLayoutEffect(() => {
    if (wanted.current) focus(at);
    wanted.current = false;
  });
  useLayoutEffect(() => {
    const run = items[at];
    if (!run) return undefined;
    const step = (/** @type {1 | -1} */ by, beside = false) => {
      const inside = box.current?.contains(document.activeElement) || shown;
      const index = Math.min(items.length - 1, Math.max(0, inside ? at + by : at));
      const next = items[index] ?? run;
      reveal(box.current, index);
      if (index === at) focus(at);
      else wanted.current = true; // the row may not be there yet
      setActive(next.id);
      if (beside) open(next.id);
    };
    return offer([
      { keys: "j", words: "Next row", group: "Rows", run: () => step(1) },
      { keys: "k", words: "Last row", group: "Rows", run: () => step(-1) },
      { keys: "J", words: "Next run in the panel", group: "Panel", run: () => step(1, true) },
      { keys: "K", words: "Last run in the panel", group: "Panel", run: () => step(-1, true) },
      { keys: "x", words: "Select the row", group: "Rows", run: () => toggle(run.id) },
      { keys: "o", words: "Open the page of the run", group: "Rows", run: () => go(to("runs", run.id)) },
    ]);
  }, [items, at, shown, chosen]);
  return html`<section class="column">
    ${list.answer && html`<${Facets} answer=${list.answer} query=${query} />`}
    ${list.error && html`<${Wrong} error=${list.error} query=${query} again=${() => list.further()} />`}
    ${!list.answer && !list.error && html`<${Skeleton} rows=${12} />`}
    ${list.hasNewer && html`<button class="newer" onClick=${() => box.current?.scrollTo(0, 0)}>Newer runs</button>`}
    ${items.length > 0 && html`<${LongTable} label="Runs" box=${box} n=${items.length} see=${see}
      head=${html`<tr aria-rowindex="1"><th class="c-box"><span class="unseen">Selected</span></th><th class="c-state">State</th><th>Run</th>${names.map((name) => html`<th key=${name} class=${classOf(name)}>${COLUMNS[name]}</th>`)}</tr>`}
      row=${(/** @type {number} */ index) => {
        const run = items[index];
        return run && html`<${Row} key=${run.id} run=${run} index=${index} names=${names} isAt=${index === at} isShown=${run.id === shown} isChosen=${chosen.has(run.id)} toggle=${toggle} activate=${setActive} />`;
      }} />`}
    ${!items.length && list.next === null && html`<${Nothing} query=${query} />`}
    ${list.isRare && html`<p class="bulk">Nothing more among the runs that were looked at. <button onClick=${() => list.further()}>Look further back</button></p>`}
    ${items.length > 0 && html`<${Bulk} query=${query} chosen=${chosen} clear=${() => setChosen(new Set())} />`}
  </section>`;
}

/** @param {{run: Api.RunRow, index: number, names: string[], isAt: boolean, isShown: boolean, isChosen: boolean, toggle: (id: string) => void, activate: (id: string) => void}} props */
function Row({ run, index, names, isAt, isShown, isChosen, toggle, activate }) {
  const tab = isAt ? 0 : -1;
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && event.target === event.currentTarget) open(run.id);
  };
  const click = (/** @type {MouseEvent} */ event) => {
    if (!(event.target instanceof Element && event.target.closest("a, input"))) open(run.id);
  };
  return html`<tr tabindex=${tab} aria-rowindex=${index + 2} class=${isShown ? "shown" : ""} onKeyDown=${press} onClick=${click} onFocusIn=${() => activate(run.id)}>
    <td class="c-box"><input type="checkbox" tabindex=${tab} checked=${isChosen} aria-label=${`Select ${run.name}`} onChange=${() => toggle(run.id)} /></td>
    <td class="c-state"><${State} state=${run.state} /></td>
    <td><a href=${to("runs", run.id)} tabindex=${tab} dir="auto" title=${run.name}>${run.name}</a></td>
    ${names.map((name) => html`<${Cell} key=${name} name=${name} run=${run} />`)}
  </tr>`;
}

/** Columns that are told more quietly, and the one of numbers. */
const QUIET = new Set(["tags", "happened", "id"]);
const classOf = (/** @type {string} */ name) => `c-${name}${name === "took" ? " number" : QUIET.has(name) ? " quiet" : ""}`;

/** @type {Record<string, (run: Api.RunRow) => {title?: string, shown: any}>} */
const CELLS = {
  flow: (run) => ({ title: run.deployment ?? run.flow, shown: run.deployment ?? run.flow }),
  started: (run) => ({ shown: run.started_at ? html`<${When} at=${run.started_at} />` : html`due <${When} at=${run.expected_at} />` }),
  took: (run) => ({ shown: span(taken(run.started_at, run.ended_at, run.ended_at || !run.started_at ? 0 : now.value)) }),
  tags: (run) => ({ title: run.tags.join(", "), shown: run.tags.join(", ") }),
  happened: (run) => ({ title: run.message, shown: said(run) }),
  ended: (run) => ({ shown: html`<${When} at=${run.ended_at} />` }),
  id: (run) => ({ title: run.id, shown: html`<code>${run.id.slice(0, 12)}</code>` }),
};

/** @param {{name: string, run: Api.RunRow}} props */
function Cell({ name, run }) {
  const { title, shown } = CELLS[name]?.(run) ?? {};
  return html`<td class=${classOf(name)} dir="auto" title=${title}>${shown}</td>`;
}

/** @param {{query: string}} props */
function Nothing({ query }) {
  return query
    ? html`<${Empty} title="No run matches"><p>Terms must all hold: <code>flow:NAME</code>, <code>state:failed</code>,
        <code>tag:gpu</code>, <code>since:24h</code>, <code>duration:>5m</code>; a minus in front turns one round.</p><//>`
    : html`<${Empty} title="No run yet"><p>Start one with <code>ostinato run FILE:FLOW</code>, or <code>ostinato demo</code>.</p><//>`;
}

/**
 * Counts of all runs, or of all of one flow, by state; one click asks for one state. Those that are only planned stand apart:
 * the list has them when somebody asks. Beside other terms of a query there are no counts, which would be of more runs than are listed.
 * @param {{answer: Api.RunsScreen, query: string}} props
 */
function Facets({ answer, query }) {
  const rest = query.split(/\s+/).filter((one) => one && !one.startsWith("state:")).join(" ");
  const { states, flow } = answer;
  const isExact = !rest || rest === term("flow", flow ?? "");
  const begun = ORDER.filter((state) => states[state] && state !== "Scheduled");
  const n = begun.reduce((sum, state) => sum + (states[state] ?? 0), 0);
  const count = (/** @type {number | undefined} */ one) => isExact && html` <b>${(one ?? 0).toLocaleString("en")}</b>`;
  const facet = (/** @type {string} */ state, /** @type {string | undefined} */ title) => html`<a key=${state} title=${title}
      href=${withQuery(to("runs"), { q: `${rest} state:${state.toLowerCase()}`.trim() })}
      aria-current=${new RegExp(`(^|\\s)state:${state}(\\s|$)`, "i").test(query)}><${State} state=${state} />${count(states[state])}</a>`;
  return html`<nav class="facets" aria-label="States">
    <a href=${withQuery(to("runs"), { q: rest })} aria-current=${!/(^|\s)state:/.test(query)}>${states.Scheduled ? "Begun or due" : html`All${count(n)}`}</a>
    ${begun.map((state) => facet(state, undefined))}
    ${states.Scheduled && html`<i class="apart" /> ${facet("Scheduled", "Made ahead by schedules. Those that are not due yet are listed only here.")}`}
    ${flow && html`<a href=${to("flows", flow)}>Grid of <bdi>${flow}</bdi></a>`}
  </nav>`;
}

/** What is to be done to the selected runs, or to all that match, not only to those on the screen. @param {{query: string, chosen: ReadonlySet<string>, clear: () => void}} props */
function Bulk({ query, chosen, clear }) {
  const [told, setTold] = useState("");
  const [asked, setAsked] = useState(/** @type {typeof BULK[number] | null} */ (null));
  const whom = chosen.size ? `${chosen.size} selected ${chosen.size === 1 ? "run" : "runs"}` : "all runs that match";
  useLayoutEffect(
    () => (chosen.size || query ? offer(BULK.map((one) => ({ keys: "", words: `${one[1]} ${whom}`, group: "Runs", run: () => setAsked(one) }))) : undefined),
    [whom, query],
  );
  async function act(/** @type {string} */ action) {
    const ids = [...chosen];
    const queries = ids.length ? Array.from({ length: Math.ceil(ids.length / IDS) }, (_, at) => `id:${ids.slice(at * IDS, (at + 1) * IDS).join(",")}`) : [query];
    let done = 0;
    /** @type {string[]} */
    const refused = [];
    for (const one of queries) {
      for (let after = ""; ; ) {
        const answer = await ask("api/runs/bulk", { method: "POST", body: { query: one, action, after } });
        done += answer.done.length;
        refused.push(...answer.refused.map((/** @type {any} */ each) => each.detail));
        setTold(`${done} done${refused.length ? `, ${refused.length} refused: ${refused[0]}` : ""}.`);
        if (!answer.next) break;
        after = answer.next;
      }
    }
    clear();
  }
  return html`<p class="bulk">${(chosen.size > 0 || query) && html`${chosen.size ? html`<b>${whom}</b>` : "All that match"}:
    ${BULK.map((one) => html`<button key=${one[0]} onClick=${() => setAsked(one)}>${one[1]}</button>`)}`}
    ${chosen.size > 0 && html`<button onClick=${clear}>Clear</button>`}
    <span role="status">${told}</span></p>
    ${asked && html`<${Confirm} title=${`${asked[1]} ${whom}?`} act=${asked[1]} run=${() => act(asked[0])} close=${() => setAsked(null)}>
      ${!chosen.size && html`<p>They match <code dir="auto">${query}</code>.</p>`}<//>`}`;
}
