/** The form that runs a deployment with other parameters, now or later. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { html } from "../lib/html.js";
import { go, to } from "../lib/route.js";
import { zone } from "../lib/time.js";
import { useView } from "../lib/view.js";
import { Dialog } from "./dialog.js";
import { Fields, fieldsOf, placeOf, take, Unfit } from "./form.js";
import { Failure } from "./notices.js";

/** What stands for a secret value, which nobody is shown. */
const MASK = "********";

/** `given` are values that the form begins with, in place of those of the deployment. @param {{one: any, given?: Record<string, any>, close: () => void}} props */
export function RunWith({ one, given = {}, close }) {
  const [usual] = useState(() => fieldsOf(one.parameter_schema, one.parameters));
  const [fields] = useState(() => fieldsOf(one.parameter_schema, { ...one.parameters, ...given }));
  const [wrong, setWrong] = useState(/** @type {{path: string, message: string} | null} */ (null));
  const { attempt, error, busy } = useAttempt();
  async function send(/** @type {any} */ event) {
    event.preventDefault();
    const { elements } = event.currentTarget;
    const text = (/** @type {string} */ name) => elements.namedItem(name).value.trim();
    await attempt(async () => {
      setWrong(null);
      try {
        const body = { parameters: take(fields, elements, usual), name: text("run-name"), tags: text("run-tags").split(",").map((/** @type {string} */ tag) => tag.trim()).filter(Boolean),
          due_at: text("run-due") ? new Date(`${text("run-due")}${zone.value === "UTC" ? "Z" : ""}`).toISOString() : null };
        go(to("runs", (await ask(`api/deployments/${one.id}/runs`, { method: "POST", body })).id));
      } catch (problem) {
        setWrong(problem instanceof Unfit ? { path: problem.path, message: problem.message } : placeOf(problem, fields));
        throw problem;
      }
    });
  }
  return html`<${Dialog} label=${`Run ${one.title} with…`} close=${close}><form onSubmit=${send}>
    ${fields.length ? html`<${Fields} fields=${fields} wrong=${wrong} />` : html`<p class="quiet">It takes no parameters.</p>`}
    <details><summary>Name, time, tags</summary><div class="fields">
      <div class="field"><label for="run-name">Name of the run</label><input id="run-name" dir="auto" autocomplete="off" maxlength="200" placeholder="a made-up one" /></div>
      <div class="field"><label for="run-due">Not before <span class="quiet">${zone.value === "UTC" ? "UTC" : "local time"}</span></label><input id="run-due" type="datetime-local" /></div>
      <div class="field"><label for="run-tags">More tags <span class="quiet">with commas between</span></label><input id="run-tags" dir="auto" autocomplete="off" /></div>
    </div></details>
    ${error && !wrong && html`<${Failure} error=${error} />`}
    <p class="ends"><button type="button" onClick=${close}>Cancel</button><button class="main" disabled=${busy}>Run</button></p>
  </form><//>`;
}

/** The form that begins with what a run was given. @param {{one: any, like: string, close: () => void}} props */
export function RunAgain({ one, like, close }) {
  const { data, error } = useView(`api/runs/${encodeURIComponent(like)}`, () => false);
  if (!data && !error) return null;
  const given = Object.entries(data?.parameters ?? {}).filter(([, value]) => value !== MASK); // of a run that is gone the form is that of the deployment
  return html`<${RunWith} one=${one} given=${Object.fromEntries(given)} close=${close} />`;
}
