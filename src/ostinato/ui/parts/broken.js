/** What went wrong with a run or a task run: the exception, the line, the last words. */
import { html } from "../lib/html.js";
import { called, cut, titled } from "../lib/names.js";
import { to } from "../lib/route.js";
import { failingSource } from "../lib/traces.js";

const LAST_LINES = 12, MOST_OTHERS = 8, LONG = 120;

/** @param {{error: any, message: string, state: string, lines: any[], brief?: boolean, aside?: any, children?: any}} props `brief` folds the lines, `aside` is what may have led there */
export function Broken({ error, message, state, lines, brief = false, aside, children }) {
  const source = error?.trace ? failingSource(error) : "";
  return html`<section class="broken" aria-label="What went wrong">
    <h2 tabindex="0">${error ? html`<code>${error.type}</code> <span dir="auto">${error.message}</span>` : html`<span dir="auto">${message || state}</span>`}</h2>
    ${error && html`<p>${error.task && html`in task <b dir="auto" title=${error.task}>${called(error.task)}</b>`} ${error.file && html`<code>${error.file}:${error.line}</code>`}
      ${error.inputs && html`<br />called with <code dir="auto">${error.inputs}</code>`}</p>`}
    ${aside}
    ${source && html`<pre class="trace failing" tabindex="0" aria-label="The line that failed">${source}</pre>`}
    ${error?.hint && html`<p>${error.hint}</p>`}
    ${error?.trace && html`<details open=${!source}><summary>Traceback</summary><pre class="trace" tabindex="0" aria-label="Traceback">${error.trace}</pre></details>`}
    ${lines.length > 0 && html`<details open=${!brief}><summary>Last log lines</summary><pre class="trace" tabindex="0" aria-label="Last log lines">${lines.slice(-LAST_LINES).map((line) => (error ? headOf(line.text) : line.text)).join("\n")}</pre></details>`}
    ${children}
  </section>`;
}

/** Give the first line of a message: the traceback of an exception is there already. */
function headOf(/** @type {string} */ text) {
  const [head = "", ...rest] = text.trimEnd().split("\n");
  return rest.length ? `${head} … ${rest.length} more lines` : head;
}

/** @param {{run: any}} props */
function Deployed({ run }) {
  const { flow, name } = titled(run.deployment);
  return html`<a href=${to("deployments", flow, name)} dir="auto">${run.deployment}</a>`;
}

/** Parameters to which a run gave other values than its deployment does. @param {{run: any, others: any[] | null}} props */
export function Others({ run, others }) {
  if (!others?.length) return null;
  const value = (/** @type {any} */ one) => html`<code dir="auto" title=${JSON.stringify(one)}>${cut(JSON.stringify(one), LONG)}</code>`;
  return html`<p>It was started with other parameters than <${Deployed} run=${run} /> gives:</p>
    <ul class="lines" aria-label="Other parameters">${others.slice(0, MOST_OTHERS).map((one) => html`<li key=${one.name}><b dir="auto">${one.name}</b> ${value(one.value)}, where the deployment gives ${value(one.usual)}</li>`)}
      ${others.length > MOST_OTHERS && html`<li class="quiet">and ${others.length - MOST_OTHERS} more</li>`}</ul>`;
}

/** The line that failed, and where the code of a run is. @param {{run: any}} props */
export function CodeFacts({ run }) {
  const { error, source } = run;
  const shown = error?.trace ? failingSource(error) : "";
  const facts = /** @type {[string, any][]} */ ([
    ["File", source.file], ["Function", source.function], ["Version of the code", run.version], ["Working directory", source.directory],
    ["Interpreter", source.interpreter], ["Deployment", run.deployment && html`<${Deployed} run=${run} />`],
  ]).filter(([, value]) => value);
  return html`${error?.file && html`<h2>Where it failed</h2><p><code>${error.file}:${error.line}</code>${error.task && html` in task <b dir="auto" title=${error.task}>${called(error.task)}</b>`}</p>`}
    ${shown && html`<pre class="trace failing" tabindex="0" aria-label="The line that failed">${shown}</pre>`}
    <h2>Where the code is</h2><dl class="facts-list">${facts.map(([label, value]) => html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>`;
}
