/** One deployment: when it runs next, what became of its past times, its last runs; run it, backfill it, pause it. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { offer } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { launch } from "../lib/launch.js";
import { quoted } from "../lib/query.js";
import { go, place, setQuery, to } from "../lib/route.js";
import { useView } from "../lib/view.js";
import { Backfill } from "../parts/backfill.js";
import { Confirm } from "../parts/dialog.js";
import { said } from "../parts/form.js";
import { Locked } from "../parts/locked.js";
import { Copy, Failure, Skeleton } from "../parts/notices.js";
import { RunTable } from "../parts/runs.js";
import { RunAgain, RunWith } from "../parts/runwith.js";
import { Ticks } from "../parts/ticks.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["deployment-set", "deployment-removed", "run-created", "run-moved", "run-dropped"]);

/** @param {{title: string}} props id, `flow/name`, or name */
export function Deployment({ title }) {
  const until = place.value.query.get("until") ?? "";
  const { data, error, again } = useView(withQuery("api/ui/deployment", { ref: title, until }), (event) => CONCERNS.has(event.kind), 1000);
  const kept = useRef(/** @type {any} */ (null)); // stays on the screen while other past times are looked for
  kept.current = data ?? kept.current;
  const gone = /** @type {any} */ (error)?.status === 404;
  if (!kept.current || gone) {
    return html`<p class="crumbs"><a href=${to("deployments")}>Deployments</a></p><h1 dir="auto">${title}</h1>
      ${gone && kept.current && html`<p class="notice">It was removed while this page was open.</p>`}
      ${error ? html`<${Failure} error=${error} again=${again} />` : html`<${Skeleton} />`}`;
  }
  return html`<${Page} data=${kept.current} error=${error} again=${again} />`;
}

/** @param {{data: any, error: any, again: () => void}} props */
function Page({ data, error, again }) {
  const { deployment: one, may } = data;
  const { attempt, error: refused, busy } = useAttempt();
  const [removing, setRemoving] = useState(false);
  const form = place.value.query.get("form") ?? "";
  const like = place.value.query.get("like"); // a run, to which one goes back
  const close = () => (like ? go(to("runs", like)) : setQuery("form", ""));
  const post = (/** @type {string} */ act, /** @type {any} */ body) => ask(`api/deployments/${one.id}/${act}`, { method: "POST", body });
  const run = () => attempt(() => launch(one));
  const pause = (slug = "", paused = !one.paused) => attempt(async () => {
    await post("pause", { slug, paused });
    again();
  });
  const acts = [
    { keys: "r", words: "Run", needs: "run", run, main: true },
    { keys: "w", words: "Run with…", needs: "run", run: () => setQuery("form", "run") },
    ...(one.schedules.length ? [
      { keys: "b", words: "Backfill…", needs: "run", run: () => setQuery("form", "backfill") },
      { keys: "p", words: one.paused ? "Go on" : "Pause", needs: "deploy", run: () => pause() },
    ] : []),
    { keys: "", words: "Remove…", needs: "deploy", run: () => setRemoving(true) },
  ].map((act) => ({ ...act, off: busy || !may.includes(act.needs) }));
  useLayoutEffect(() => offer(acts.filter((act) => !act.off).map((act) => ({ keys: act.keys, words: `${act.words.replace("…", "")} this deployment`, group: "Deployment", run: () => void act.run() }))), [one.id, one.paused, one.schedules.length, busy]);
  return html`<header class="head">
      <p class="crumbs"><a href=${to("deployments")}>Deployments</a> / <a href=${to("flows", one.flow)} dir="auto">${one.flow}</a></p>
      <div class="title"><h1 dir="auto">${one.title}</h1>${one.paused && html`<b>‖ paused</b>`}
        <span class="actions">${acts.map((act) => html`<button key=${act.keys} class=${act.main ? "main" : ""} disabled=${act.off} onClick=${() => act.run()}>${act.words}</button>`)}</span></div>
      ${one.description && html`<p dir="auto" class="said">${one.description}</p>`}
    </header>
    <${Locked} may=${may} needs="run" words="run it, pause it or remove it" />
    ${refused && html`<${Failure} error=${refused} />`}
    ${error && html`<${Failure} error=${error} again=${again} />`}
    <${Facts} one=${one} queue=${data.queue} />
    <${Schedules} data=${data} pause=${pause} />
    <h2>Last runs <a href=${withQuery(to("runs"), { q: `deployment:${quoted(one.title)}` })}>all of them</a></h2>
    ${data.runs.length ? html`<${RunTable} runs=${data.runs} label="Last runs" />` : html`<p class="quiet">None has begun yet.</p>`}
    <${Parameters} one=${one} />
    ${form === "run" && (like ? html`<${RunAgain} one=${one} like=${like} close=${close} />` : html`<${RunWith} one=${one} close=${close} />`)}
    ${form === "backfill" && html`<${Backfill} one=${one} close=${close} />`}
    ${removing && html`<${Confirm} title=${`Remove ${one.title}?`} act="Remove" close=${() => setRemoving(false)}
      run=${async () => { await ask(`api/deployments/${one.id}`, { method: "DELETE" }); go(to("deployments")); }}>
      <p>It runs no more, and its runs that have not begun are taken away. What has run stays.</p><//>`}`;
}

/** @param {{one: any, queue: string}} props `queue` is where its runs wait */
function Facts({ one, queue }) {
  const { code } = one;
  const facts = [
    ["Code", html`<code>${code.file}:${code.function}</code> <span class="quiet">${code.kind}${code.revision && ` ${code.revision.slice(0, 12)}`}</span>`],
    ["Version", one.version && html`<code>${one.version}</code>`],
    ["Queue", html`<span dir="auto">${queue}</span>${!one.queue && html` <span class="quiet">${queue === "default" ? "it names none, and no other queue takes it by its name or tags" : "this queue takes it by its name or tags"}</span>`}`],
    ["Tags", one.tags.join(", ")],
    ["At once", one.concurrency && `${one.concurrency} of its runs at most`],
    ["Overlap", one.overlap !== "allow" && one.overlap],
    ["Resources", Object.entries(one.resources).map(([name, n]) => `${name} ${n}`).join(", ")],
    ["Id", html`<code>${one.id}</code> <${Copy} text=${one.id} words="Copy id" />`],
  ].filter(([, value]) => value);
  return html`<dl class="facts-list">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** @param {{data: any, pause: (slug: string, paused: boolean) => void}} props */
function Schedules({ data, pause }) {
  const { deployment: one, next, past, may } = data;
  const until = place.value.query.get("until");
  if (!one.schedules.length) return html`<h2>When</h2><p class="quiet">It has no schedule: it runs when asked. <code>ostinato deploy --cron '0 6 * * *'</code> gives it one.</p>`;
  return html`<h2>When</h2>
    <ul class="lines" aria-label="Schedules">${one.schedules.map((/** @type {any} */ each) => html`<li key=${each.slug}>${each.said}${one.schedules.length > 1 && html` <span class="quiet">${each.slug}</span>`}
      ${Object.keys(each.parameters).length > 0 && html` <code dir="auto">${JSON.stringify(each.parameters)}</code>`}
      ${one.schedules.length > 1 && html` <button role="switch" aria-checked=${each.active} aria-label=${`Schedule ${each.slug}`} disabled=${!may.includes("deploy")} onClick=${() => pause(each.slug, each.active)}>${each.active ? "on" : "off"}</button>`}</li>`)}</ul>
    <h2>Next times</h2>
    ${next.length ? html`<ol class="lines" aria-label="Next times">${next.map((/** @type {any} */ at) => html`<li key=${at.due_at + at.slug}><b>${at.local}</b> ${at.timezone} <span class="quiet"><${When} at=${at.due_at} />${one.schedules.length > 1 && `, ${at.slug}`}</span></li>`)}</ol>`
      : html`<p class="quiet">${one.paused ? "It is paused." : "None is to come."}</p>`}
    ${past.filter((/** @type {any} */ each) => each.ticks.length || until).map((/** @type {any} */ each) => html`<h2 key=${each.slug}>Past times <span class="quiet">${past.length > 1 && `${each.slug}, `}${each.timezone}</span></h2>
      <${Ticks} ticks=${each.ticks} label=${`Past times of ${each.slug}`} />
      <p>${each.older && html`<button onClick=${() => setQuery("until", each.older)}>Older</button>`} ${until && html`<button onClick=${() => setQuery("until", "")}>Newest</button>`}</p>`)}`;
}

/** What it takes, and what it is given. @param {{one: any}} props */
function Parameters({ one }) {
  const schema = one.parameter_schema;
  const names = [...new Set([...Object.keys(schema.properties ?? {}), ...Object.keys(one.parameters)])];
  if (!names.length) return null;
  const shown = (/** @type {any} */ value) => (value === undefined ? "" : html`<code dir="auto" title=${JSON.stringify(value, null, 2)}>${JSON.stringify(value)}</code>`);
  return html`<h2>Parameters</h2><div class="scroll"><table class="rows" aria-label="Parameters"><thead><tr><th>Name</th><th>Type</th><th>Default of the flow</th><th>This deployment gives</th><th>What it is</th></tr></thead>
    <tbody>${names.map((name) => {
      const of = schema.properties?.[name] ?? {};
      return html`<tr key=${name}><td><code>${name}</code></td><td>${said(of, schema.$defs)}</td>
        <td>${schema.required?.includes(name) ? html`<span class="quiet">none: it is needed</span>` : shown(of.default)}</td><td>${name in one.parameters ? shown(one.parameters[name]) : html`<span class="quiet">${schema.required?.includes(name) ? "nothing: each run gives it" : "the default"}</span>`}</td><td class="quiet" dir="auto" title=${of.description}>${of.description ?? ""}</td></tr>`;
    })}</tbody></table></div>`;
}
