/** What went wrong with a run or a task run: the exception, the line, the last words. */
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { failingSource } from "../lib/traces.js";

const LAST_LINES = 12;

/** @param {{error: any, message: string, state: string, lines: any[], brief?: boolean, children?: any}} props `brief` folds the lines */
export function Broken({ error, message, state, lines, brief = false, children }) {
  const source = error?.trace ? failingSource(error) : "";
  return html`<section class="broken" aria-label="What went wrong">
    <h2 tabindex="0">${error ? html`<code>${error.type}</code> <span dir="auto">${error.message}</span>` : html`<span dir="auto">${message || state}</span>`}</h2>
    ${error && html`<p>${error.task && html`in task <b dir="auto">${error.task}</b>`} ${error.file && html`<code>${error.file}:${error.line}</code>`}
      ${error.inputs && html`<br />called with <code dir="auto">${error.inputs}</code>`}</p>`}
    ${source && html`<pre class="trace failing" tabindex="0" aria-label="The line that failed">${source}</pre>`}
    ${error?.hint && html`<p>${error.hint}</p>`}
    ${error?.trace && html`<details open=${!source}><summary>Traceback</summary><pre class="trace" tabindex="0" aria-label="Traceback">${error.trace}</pre></details>`}
    ${lines.length > 0 && html`<details open=${!brief}><summary>Last log lines</summary><pre class="trace" tabindex="0" aria-label="Last log lines">${lines.slice(-LAST_LINES).map((line) => line.text).join("\n")}</pre></details>`}
    ${children}
  </section>`;
}

/** The line that failed, and where the code of a run is. @param {{run: any}} props */
export function CodeFacts({ run }) {
  const { error, source } = run;
  const shown = error?.trace ? failingSource(error) : "";
  const [flow = "", name = ""] = run.deployment?.split("/") ?? [];
  const facts = /** @type {[string, any][]} */ ([
    ["File", source.file], ["Function", source.function], ["Version of the code", run.version], ["Working directory", source.directory],
    ["Interpreter", source.interpreter], ["Deployment", run.deployment && html`<a href=${to("deployments", flow, name)}>${run.deployment}</a>`],
  ]).filter(([, value]) => value);
  return html`${error?.file && html`<h2>Where it failed</h2><p><code>${error.file}:${error.line}</code>${error.task && html` in task <b dir="auto">${error.task}</b>`}</p>`}
    ${shown && html`<pre class="trace failing" tabindex="0" aria-label="The line that failed">${shown}</pre>`}
    <h2>Where the code is</h2><dl class="facts-list">${facts.map(([label, value]) => html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>`;
}
