/** The dialog that runs a deployment for past instants of its schedule: first what there is to do, then the runs. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { html } from "../lib/html.js";
import { Dialog } from "./dialog.js";
import { Unfit } from "./form.js";
import { Code, Failure } from "./notices.js";
import { Ticks } from "./ticks.js";

const MODES = /** @type {const} */ ([
  ["once", "once with this code and these parameters"],
  ["missing", "only where nothing has completed"],
  ["again", "each anew"],
]);
const SAID = /** @type {const} */ ([["make", "to run"], ["watch", "under way"], ["keep", "completed before"]]);

/** @param {{one: any, close: () => void}} props */
export function Backfill({ one, close }) {
  const [wanted, setWanted] = useState(/** @type {any} */ (null));
  const [plan, setPlan] = useState(/** @type {any} */ (null));
  const [made, setMade] = useState(0);
  const { attempt, error, busy } = useAttempt();
  const post = (/** @type {any} */ body) => ask(`api/deployments/${one.id}/backfill`, { method: "POST", body });
  const look = (/** @type {any} */ event) => {
    event.preventDefault();
    const { elements } = event.currentTarget;
    const value = (/** @type {string} */ name) => elements.namedItem(name)?.value ?? "";
    return attempt(async () => {
      const body = { begin: value("first"), end: value("last"), schedule: value("schedule"), mode: value("mode"), parameters: objectOf(value("parameters")) };
      setPlan(await post({ ...body, dry_run: true }));
      setWanted(body);
    });
  };
  const make = () => attempt(async () => {
    let after = null;
    do {
      const answer = await post({ ...wanted, after });
      setMade((n) => n + answer.items.filter((/** @type {any} */ cell) => cell.todo === "make").length);
      after = answer.next;
    } while (after);
    close();
  });
  const n = plan?.counts.make ?? 0;
  const collides = n > 1 && ["skip", "cancel-previous"].includes(plan.overlap);
  return html`<${Dialog} label=${`Backfill ${one.title}`} close=${close}><form onSubmit=${look} onInput=${() => setPlan(null)}>
    <p class="quiet">One run for each past instant of its schedule between two days. They are made at once, and wait in the queue.</p>
    <div class="fields pair">
      <div class="field"><label for="first">First day</label><input id="first" type="date" required /></div>
      <div class="field"><label for="last">Last day</label><input id="last" type="date" required /></div>
    </div><div class="fields">
      ${one.schedules.length > 1 && html`<div class="field"><label for="schedule">Schedule</label><select id="schedule">${one.schedules.map((/** @type {any} */ each) => html`<option key=${each.slug} value=${each.slug}>${each.slug}: ${each.said}</option>`)}</select></div>`}
      <div class="field"><label for="mode">Which instants</label><select id="mode">${MODES.map(([mode, words]) => html`<option key=${mode} value=${mode}>${words}</option>`)}</select></div>
      <div class="field"><label for="parameters">Other parameters <span class="quiet">a JSON object, on top of those of the deployment</span></label><textarea id="parameters" class="mono" rows="2" spellcheck=${false} placeholder="{}" /></div>
    </div>
    ${plan && html`<section aria-label="What there is to do"><h3 role="status">${SAID.filter(([todo]) => plan.counts[todo]).map(([todo, words]) => `${plan.counts[todo]} ${words}`).join(", ") || "The schedule has no past instant there."}</h3>
      ${plan.items.length > 0 && html`<${Ticks} ticks=${plan.items} label="Instants" none="to run" />`}${plan.next && html`<p class="quiet">These are the first ${plan.items.length}.</p>`}
      ${collides && html`<p class="notice">Its runs get in each other's way (overlap ${plan.overlap}). The command makes one after another:</p>
        <${Code} text=${`ostinato backfill ${one.title} --from ${wanted.begin} --to ${wanted.end}`} />`}</section>`}
    ${error && html`<${Failure} error=${error} />`}
    <p class="ends">${busy && made > 0 && html`<span role="status">${made} made</span>`}<button type="button" onClick=${close}>Cancel</button>
      <button class=${plan ? "" : "main"} disabled=${busy}>Look what there is to do</button>
      ${n > 0 && !collides && html`<button type="button" class="main" disabled=${busy} onClick=${make}>Make ${n} ${n === 1 ? "run" : "runs"}</button>`}</p>
  </form><//>`;
}

function objectOf(/** @type {string} */ text) {
  try {
    return text.trim() ? JSON.parse(text) : {};
  } catch (error) {
    throw new Unfit("parameters", `The parameters are no JSON: ${error instanceof Error ? error.message : error}`);
  }
}
