/** What a paused run asks for, as a form of the type that it wants. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { html } from "../lib/html.js";
import { Fields, fieldsOf, inner, placeOf, take, Unfit } from "./form.js";
import { Failure } from "./notices.js";
import { When } from "./when.js";

/** @param {{run: any, input: any, done: () => void}} props `input`: one of the inputs of the run, not given yet */
export function Answer({ run, input, done }) {
  const [fields] = useState(() => fieldsOf(inner(input.value_schema) ?? { properties: { value: input.value_schema }, required: ["value"], $defs: input.value_schema.$defs }, {}));
  const [wrong, setWrong] = useState(/** @type {{path: string, message: string} | null} */ (null));
  const { attempt, error, busy } = useAttempt();
  function send(/** @type {any} */ event) {
    event.preventDefault();
    const { elements } = event.currentTarget;
    return attempt(async () => {
      setWrong(null);
      try {
        const given = take(fields, elements);
        await ask(`api/runs/${run.id}/resume`, { method: "POST", body: { input: inner(input.value_schema) ? given : given.value } });
        done();
      } catch (problem) {
        setWrong(problem instanceof Unfit ? { path: problem.path, message: problem.message } : placeOf(problem, fields));
        throw problem;
      }
    });
  }
  return html`<section class="notice" aria-label=${`Input ${input.key}`}><form onSubmit=${send}>
    <p><strong dir="auto">It waits for ${input.key}</strong>${input.until && html`, which has to come <${When} at=${input.until} />`}</p>
    <${Fields} fields=${fields} wrong=${wrong} />
    ${error && !wrong && html`<${Failure} error=${error} />`}
    <p><button class="main" disabled=${busy}>Give it and go on</button></p></form></section>`;
}
