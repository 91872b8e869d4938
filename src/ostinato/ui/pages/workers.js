/** Workers and queues: who is here, how busy they are, what waits for them and why, who holds the slots of limits. */
import { useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { html } from "../lib/html.js";
import { term } from "../lib/query.js";
import { to } from "../lib/route.js";
import { distance, now, span } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Dialog } from "../parts/dialog.js";
import { Empty, Failure, Skeleton } from "../parts/notices.js";
import { State } from "../parts/state.js";
import { When } from "../parts/when.js";

const CONCERNS = new Set(["worker-joined", "worker-left", "queue-set", "run-created", "run-moved", "run-claimed", "run-released", "run-dropped"]);
const HOURS = 24, MOST = 50;

/** What can be set of a queue. @typedef {Omit<Api.QueueView, "n_waiting" | "n_late" | "n_later" | "n_running" | "oldest_due_at">} QueueSet */
/** What can be set of a limit. @typedef {Pick<Api.LimitRow, "name" | "slots">} LimitSet */

export function Workers() {
  const { data, error, again } = useView("api/ui/workers", (event) => CONCERNS.has(event.kind), 1000);
  return html`<h1>Workers</h1>
    ${error && html`<${Failure} error=${error} again=${again} />`}
    ${!data && !error && html`<${Skeleton} rows=${6} />`}
    ${data && html`<${Here} workers=${data.workers} />
      <h2>Due, and not running</h2><${Waiting} waiting=${data.waiting} queues=${data.queues} />
      <h2>Queues</h2><${Queues} queues=${data.queues} again=${again} />
      <h2>Limits</h2><${Limits} limits=${data.limits} again=${again} />
      ${data.gone.length > 0 && html`<h2>Gone</h2><${Gone} workers=${data.gone} />`}`}`;
}

/** @param {{workers: Api.WorkerView[]}} props */
function Here({ workers }) {
  if (!workers.length) return html`<${Empty} title="No worker is here" code="ostinato worker"><p>A worker takes runs of deployments and starts them. <code>ostinato up</code> brings one.</p><//>`;
  return html`<div class="scroll"><table class="rows" aria-label="Workers">
    <thead><tr><th>Worker</th><th>State</th><th>Slots</th><th>Queues</th><th>Resources left</th><th>Heard of</th><th>Here since</th><th>Where</th></tr></thead>
    <tbody>${workers.map((one) => html`<tr key=${one.id}><td dir="auto"><a href=${withQuery(to("runs"), { q: term("worker", one.id) })}>${one.name}</a></td><td><${Beat} worker=${one} /></td>
      <td><meter min="0" max=${Math.max(1, one.slots)} value=${one.n_held} aria-label=${`${one.n_held} of ${one.slots} slots are taken`} /> <span class="number">${one.n_held} of ${one.slots}</span></td><td dir="auto">${one.queues.join(", ") || html`<span class="quiet">every queue</span>`}</td>
      <td>${Object.entries(one.resources).map(([name, n]) => `${name}: ${n}`).join(", ")}</td><td><${When} at=${one.seen_at} /></td><td><${When} at=${one.joined_at} /></td><td><code>${one.host}:${one.pid}</code></td></tr>`)}</tbody></table></div>`;
}

/** Whether a worker is heard of: its runs are taken over when its lease ends. @param {{worker: Api.WorkerView}} props */
function Beat({ worker }) {
  const left_s = (Date.parse(worker.lease_until) - now.value) / 1000;
  const lease_s = (Date.parse(worker.lease_until) - Date.parse(worker.seen_at)) / 1000;
  const isSilent = left_s < lease_s / 3;
  const [kind, glyph, word] = isSilent ? ["late", "◔", left_s > 0 ? `silent, ${Math.ceil(left_s)}s left` : "silent"] : ["completed", "●", worker.n_held >= worker.slots ? "busy" : "ready"];
  return html`<span class="state" data-kind=${kind}><i aria-hidden="true">${glyph}</i>${word}</span>`;
}

/** @param {{waiting: Api.WaitingRow[], queues: Api.QueueView[]}} props */
function Waiting({ waiting, queues }) {
  const total = queues.reduce((n, one) => n + one.n_waiting, 0);
  if (!waiting.length) return html`<p class="quiet">Nothing waits.</p>`;
  return html`<div class="scroll"><table class="rows" aria-label="Runs that wait"><thead><tr><th>State</th><th>Run</th><th>Deployment</th><th>Queue</th><th>Waits for</th><th>Why</th></tr></thead>
    <tbody>${waiting.map(({ run, queue, why }) => html`<tr key=${run.id}><td><${State} state=${run.state} /></td><td><a href=${to("runs", run.id)} dir="auto">${run.name}</a></td><td dir="auto">${run.deployment ?? run.flow}</td><td dir="auto">${queue}</td>
      <td class="number left">${span(Math.max(0, Math.floor((now.value - Date.parse(run.expected_at)) / 1000)))}</td><td class="wrap">${why ? told(why) : html`<span class="quiet">nothing keeps it: a worker takes it next</span>`}</td></tr>`)}</tbody></table></div>
    ${total > waiting.length && html`<p class="quiet">The first of each queue; ${total.toLocaleString("en")} wait.</p>`}`;
}

/** Give a reason with its commands as code. */
const told = (/** @type {string} */ why) => why.split("`").map((part, at) => (at % 2 ? html`<code key=${at}>${part}</code>` : part));

/** @param {{queues: Api.QueueView[], again: () => void}} props */
function Queues({ queues, again }) {
  const { attempt, error, busy } = useAttempt();
  const [open, setOpen] = useState("");
  const [edited, setEdited] = useState(/** @type {QueueSet | null} */ (null));
  async function pause(/** @type {Api.QueueView} */ one) {
    const { description, tags, deployments, concurrency, priority } = one;
    const body = { description, tags, deployments, concurrency, priority, paused: !one.paused };
    if (await attempt(() => ask(`api/queues/${encodeURIComponent(one.name)}`, { method: "PUT", body }))) again();
  }
  return html`${error && html`<${Failure} error=${error} />`}
    <div class="scroll"><table class="rows" aria-label="Queues">
      <thead><tr><th>Queue</th><th>State</th><th class="number">Running</th><th class="number" title="Due, and no worker has taken them">Waiting</th><th class="number" title="Of those that wait: due for 15 seconds and more">Late</th><th>Longest wait</th><th class="number" title="Made ahead, and due later">Not yet due</th><th class="number" title="Runs at once">At most</th><th class="number" title="Workers take from the queue with the larger number first">Priority</th><th>Takes</th><th class="number">Actions</th></tr></thead>
      <tbody>${queues.map((one) => html`<tr key=${one.name}><td dir="auto" title=${one.description}><a href=${withQuery(to("runs"), { q: `${term("queue", one.name)} state:scheduled,late` })}>${one.name}</a></td>
        <td><span class="state" data-kind=${one.paused ? "paused" : "completed"}><i aria-hidden="true">${one.paused ? "‖" : "●"}</i>${one.paused ? "paused" : "open"}</span></td>
        <td class="number">${one.n_running.toLocaleString("en")}</td><td class="number">${one.n_waiting.toLocaleString("en")}</td><td class="number">${one.n_late.toLocaleString("en")}</td>
        <td>${one.oldest_due_at ? html`<span title="The run that has waited longest was due then">due ${distance(one.oldest_due_at, now.value)}</span>` : ""}</td><td class="number">${one.n_later.toLocaleString("en")}</td>
        <td class="number">${one.concurrency ?? html`<span class="quiet">no limit</span>`}</td><td class="number">${one.priority}</td>
        <td class="wrap" dir="auto">${[...one.tags.map((tag) => `tag ${tag}`), ...one.deployments].join(", ") || html`<span class="quiet">${one.name === "default" ? "all runs that no other queue takes" : "only runs that name it"}</span>`}</td>
        <td class="actions"><button aria-expanded=${open === one.name} onClick=${() => setOpen(open === one.name ? "" : one.name)}>Preview</button><button onClick=${() => setEdited(one)}>Change</button><button disabled=${busy} onClick=${() => pause(one)}>${one.paused ? "Go on" : "Pause"}</button></td></tr>`)}</tbody></table></div>
    <p><button onClick=${() => setEdited({ name: "", description: "", tags: [], deployments: [], concurrency: null, priority: 0, paused: false })}>New queue</button></p>
    ${edited && html`<${Queue} queue=${edited} done=${again} close=${() => setEdited(null)} />`}
    ${open && html`<${Preview} key=${open} queue=${open} />`}`;
}

/** What a queue takes and how many at once. @param {{queue: QueueSet, done: () => void, close: () => void}} props */
function Queue({ queue, done, close }) {
  const { attempt, error, busy } = useAttempt();
  const act = async (/** @type {string} */ name, /** @type {{method: string, body?: unknown}} */ options) => {
    if (!(await attempt(() => ask(`api/queues/${encodeURIComponent(name)}`, options)))) return;
    done();
    close();
  };
  function set(/** @type {any} */ event) {
    event.preventDefault();
    const { elements } = event.currentTarget;
    const words = (/** @type {string} */ field) => elements[field].value.split(",").map((/** @type {string} */ word) => word.trim()).filter(Boolean);
    const body = {
      description: elements.description.value.trim(), tags: words("tags"), deployments: words("deployments"), paused: queue.paused,
      concurrency: elements.concurrency.value === "" ? null : Number(elements.concurrency.value), priority: Number(elements.priority.value),
    };
    void act(queue.name || elements.queue.value.trim(), { method: "PUT", body });
  }
  return html`<${Dialog} label=${queue.name ? `Queue ${queue.name}` : "New queue"} close=${close}><form onSubmit=${set}>
    ${!queue.name && html`<label>Name <input name="queue" required maxlength="200" dir="auto" /></label>`}
    <label>Takes runs with all of these tags <input name="tags" dir="auto" placeholder="gpu, night" defaultValue=${queue.tags.join(", ")} /></label>
    <label>Takes runs of these deployments <input name="deployments" dir="auto" placeholder="train/nightly" defaultValue=${queue.deployments.join(", ")} /></label>
    <label>Runs at once, empty for no limit <input name="concurrency" type="number" min="0" max="1000000" defaultValue=${queue.concurrency ?? ""} /></label>
    <label>Priority, the larger the earlier <input name="priority" type="number" min="-1000000" max="1000000" required defaultValue=${queue.priority} /></label>
    <label>Description <input name="description" dir="auto" defaultValue=${queue.description} /></label>
    ${error && html`<${Failure} error=${error} />`}
    <p class="ends">${queue.name && queue.name !== "default" && html`<button type="button" class="danger" disabled=${busy} onClick=${() => act(queue.name, { method: "DELETE" })}>Remove</button>`}
      <button type="button" onClick=${close}>Leave it</button><button class="main" disabled=${busy}>Set</button></p></form><//>`;
}

/** What a queue holds for the next day. @param {{queue: string}} props */
function Preview({ queue }) {
  const { data, error } = useView(withQuery(`api/queues/${encodeURIComponent(queue)}/preview`, { hours: HOURS, limit: MOST }), (event) => CONCERNS.has(event.kind), 1000);
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return html`<${Skeleton} rows=${3} />`;
  return html`<section class="compared" aria-label=${`Preview of ${queue}`}><h2>What comes in <span dir="auto">${queue}</span> within ${HOURS} hours</h2>
    ${data.length ? html`<div class="scroll"><table class="rows"><thead><tr><th>State</th><th>Due</th><th>Run</th><th>Deployment</th><th class="number">Priority</th></tr></thead>
      <tbody>${data.map((/** @type {any} */ run) => html`<tr key=${run.id}><td><${State} state=${run.state} /></td><td><${When} at=${run.due_at ?? run.expected_at} /></td><td><a href=${to("runs", run.id)} dir="auto">${run.name}</a></td><td dir="auto">${run.deployment ?? run.flow}</td><td class="number">${run.priority}</td></tr>`)}</tbody></table></div>
      ${data.length === MOST && html`<p class="quiet">The first ${MOST}.</p>`}` : html`<p class="quiet">Nothing.</p>`}</section>`;
}

/** @param {{limits: Api.LimitRow[], again: () => void}} props */
function Limits({ limits, again }) {
  const [edited, setEdited] = useState(/** @type {LimitSet | null} */ (null));
  return html`${limits.length ? html`<div class="scroll"><table class="rows" aria-label="Limits"><thead><tr><th>Limit</th><th>Slots</th><th>Who has them</th><th class="number">Actions</th></tr></thead>
      <tbody>${limits.map((one) => html`<tr key=${one.name}><td dir="auto">${one.name}</td><td><meter min="0" max=${Math.max(1, one.slots)} value=${one.n_taken} aria-label=${`${one.n_taken} of ${one.slots} slots are taken`} /> <span class="number">${one.n_taken} of ${one.slots}</span></td>
        <td class="wrap">${one.holders.map((holder, at) => html`<span key=${at}>${at ? ", " : ""}${holder.run_id ? html`<a href=${to("runs", holder.run_id)} dir="auto">${holder.name}</a>` : html`<code>${holder.name.slice(0, 12)}</code>`}${holder.n > 1 && ` (${holder.n})`}</span>`)}</td>
        <td class="actions"><button onClick=${() => setEdited(one)}>Change</button></td></tr>`)}</tbody></table></div>`
    : html`<p class="quiet">None. A limit bounds how many blocks of code <code>with concurrency("NAME")</code>, or runs with a tag (<code>tag:NAME</code>), go on at once.</p>`}
    <p><button onClick=${() => setEdited({ name: "", slots: 1 })}>New limit</button></p>
    ${edited && html`<${Limit} limit=${edited} done=${again} close=${() => setEdited(null)} />`}`;
}

/** @param {{limit: LimitSet, done: () => void, close: () => void}} props */
function Limit({ limit, done, close }) {
  const { attempt, error, busy } = useAttempt();
  const [name, setName] = useState(limit.name);
  const [slots, setSlots] = useState(String(limit.slots));
  const path = `api/limits/${encodeURIComponent(name.trim())}`;
  async function act(/** @type {{method: string, body?: unknown}} */ options) {
    if (!(await attempt(() => ask(path, options)))) return;
    done();
    close();
  }
  return html`<${Dialog} label=${limit.name ? `Limit ${limit.name}` : "New limit"} close=${close}><form onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      void act({ method: "PUT", body: { slots: Number(slots) } });
    }}>
    ${!limit.name && html`<label>Name <input required maxlength="200" dir="auto" placeholder="NAME, or tag:NAME" value=${name} onInput=${(/** @type {any} */ event) => setName(event.currentTarget.value)} /></label>`}
    <label>Slots <input required type="number" min="0" max="1000000" value=${slots} onInput=${(/** @type {any} */ event) => setSlots(event.currentTarget.value)} /></label>
    ${error && html`<${Failure} error=${error} />`}
    <p class="ends">${limit.name && html`<button type="button" class="danger" disabled=${busy} onClick=${() => act({ method: "DELETE" })}>Remove</button>`}
      <button type="button" onClick=${close}>Leave it</button><button class="main" disabled=${busy}>Set</button></p></form><//>`;
}

/** @param {{workers: Api.WorkerView[]}} props */
function Gone({ workers }) {
  return html`<div class="scroll"><table class="rows" aria-label="Workers that are gone"><thead><tr><th>Worker</th><th>Left</th><th>Why</th><th>Where</th></tr></thead>
    <tbody>${workers.map((one) => html`<tr key=${one.id}><td dir="auto">${one.name}</td><td><${When} at=${one.left_at} /></td><td class="wrap" dir="auto">${one.message}</td><td><code>${one.host}:${one.pid}</code></td></tr>`)}</tbody></table></div>`;
}
