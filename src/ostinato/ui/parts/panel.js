/** The panel beside a list: one run with why it waits or failed, its parameters, and what can be done to it. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { act, actsOf } from "../lib/acts.js";
import { offer } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { isBad } from "../lib/states.js";
import { useView } from "../lib/view.js";
import { Broken, Others } from "./broken.js";
import { Confirm } from "./dialog.js";
import { Code, Failure, Skeleton } from "./notices.js";
import { Share, State } from "./state.js";
import { Took, When } from "./when.js";

const LAST_LINES = 8;
const MOST_TASKS = 8;

/** @typedef {import("../lib/acts.js").Act} Act */

/** @param {{id: string, close: () => void}} props */
export function Panel({ id, close }) {
  const kept = useRef(/** @type {Api.RunScreen | null} */ (null)); // what was shown last stays until the next one is there
  const { data, error, again } = useView(`api/ui/runs/${encodeURIComponent(id)}`, (event) => event.data?.run_id === id || (event.kind === "run-dropped" && event.data.run_id === kept.current?.run.root_id), 500, 500);
  if (data) kept.current = data;
  const isGone = kept.current?.run.id === id && /** @type {any} */ (error)?.status === 404;
  const shown = isGone ? null : error ? data : kept.current;
  return html`<aside class="panel" aria-label=${shown ? `Run ${shown.run.name}` : "Run"} aria-busy=${!data && !error}>
    <button class="plain close" aria-label="Close the panel" title="Close (Esc)" onClick=${close}>×</button>
    ${isGone && html`<p class="notice" role="alert">This run was deleted.</p>`}
    ${error && !isGone && html`<${Failure} error=${error} again=${again} />`}
    ${!shown && !error && html`<${Skeleton} rows=${6} />`}
    ${shown && html`<${About} data=${shown} again=${again} close=${close} />`}
  </aside>`;
}

/** @param {{data: Api.RunScreen, again: () => void, close: () => void}} props */
function About({ data, again, close }) {
  const { run, counts } = data;
  const parameters = Object.keys(run.parameters ?? {}).length > 0;
  return html`
    <p class="crumbs" dir="auto">${run.deployment ?? run.flow}</p>
    <div class="title"><h2><a href=${to("runs", run.id)} dir="auto">${run.name}</a></h2><span aria-live="polite"><${State} state=${run.state} /></span></div>
    <p class="facts"><span><${Took} run=${run} /></span>
      <span>${run.started_at ? html`began <${When} at=${run.started_at} />` : html`due <${When} at=${run.due_at ?? run.expected_at} />`}</span>
      ${run.attempt > 1 && html`<span>attempt ${run.attempt}</span>`}
      ${run.tags.length > 0 && html`<span dir="auto">${run.tags.join(", ")}</span>`}</p>
    <${Acts} key=${run.id} run=${run} again=${again} close=${close} />
    ${data.why && html`<p class="notice">It waits: ${data.why}</p>`}
    ${isBad(run.state) && html`<${Broken} error=${run.error} message=${run.message} state=${run.state} lines=${data.logs} aside=${html`<${Others} run=${run} others=${data.others} />`} />`}
    ${counts.length > 0 && html`<h3>Tasks</h3><ul class="tasks">${counts.slice(0, MOST_TASKS).map((one) => html`<li key=${`${one.task}/${one.group}`}>
      <span dir="auto" title=${one.task}>${one.task}</span><span class="number">${one.total.toLocaleString("en")}</span><${Share} states=${one.states} label=${one.task} /></li>`)}
      ${counts.length > MOST_TASKS && html`<li class="quiet">and ${counts.length - MOST_TASKS} more</li>`}</ul>`}
    ${parameters && html`<h3>Parameters</h3><${Code} text=${JSON.stringify(run.parameters, null, 2)} />`}
    ${!isBad(run.state) && data.logs.length > 0 && html`<h3>Last log lines</h3><${Lines} lines=${data.logs} />`}`;
}

/** What can be done to it; the keys of that hold while the panel is open. @param {{run: Api.RunView, again: () => void, close: () => void}} props */
function Acts({ run, again, close }) {
  const [asked, setAsked] = useState(/** @type {Act | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const acts = actsOf(run);
  async function carryOut(/** @type {Act} */ one) {
    await act(run, one);
    if (one.final) close();
    else again();
  }
  const begin = (/** @type {Act} */ one) => (one.sure ? setAsked(one) : void carryOut(one).then(() => setError(null), setError));
  useLayoutEffect(
    () => offer(acts.map((one) => ({ keys: one.keys, words: `${one.words} the run in the panel`, group: "Panel", run: () => begin(one) }))),
    [run.id, run.state],
  );
  return html`<p class="ends">${acts.map((one) => html`<button key=${one.words} class=${one.main ? "main" : ""} onClick=${() => begin(one)}>${one.words}</button>`)}</p>
    ${error && html`<${Failure} error=${error} />`}
    ${asked && html`<${Confirm} title=${asked.sure} act=${asked.words} run=${() => carryOut(asked)} close=${() => setAsked(null)} />`}`;
}

/** @param {{lines: Api.LogView[]}} props */
function Lines({ lines }) {
  return html`<pre class="trace" tabindex="0" aria-label="Last log lines">${lines.slice(-LAST_LINES).map((line) => line.text).join("\n")}</pre>`;
}
