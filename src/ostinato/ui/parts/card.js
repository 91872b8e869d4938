/** What somebody wrote about a model or one of its versions, to read and to change. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { useAttempt } from "../lib/attempt.js";
import { focusOn } from "../lib/commands.js";
import { html } from "../lib/html.js";
import { Markdown } from "./markdown.js";
import { Failure } from "./notices.js";

/** @param {{path: string, text: string, what: string, done: () => void}} props */
export function Card({ path, text, what, done }) {
  const [open, setOpen] = useState(false);
  const { attempt, error, busy } = useAttempt();
  async function save(/** @type {any} */ event) {
    event.preventDefault();
    const description = event.currentTarget.elements.description.value.trim();
    if (!(await attempt(() => ask(path, { method: "POST", body: { description } })))) return;
    setOpen(false);
    done();
  }
  if (!open) return html`<div class="note">${text && html`<${Markdown} text=${text} />`}<button onClick=${() => setOpen(true)}>${text ? `Change the ${what}` : `Add a ${what}`}</button></div>`;
  return html`<form class="note" onSubmit=${save}>${error && html`<${Failure} error=${error} />`}
    <textarea name="description" aria-label=${what} rows="8" dir="auto" ref=${focusOn} defaultValue=${text} placeholder="Markdown" /><p><button class="main" disabled=${busy}>Save</button> <button type="button" onClick=${() => setOpen(false)}>Leave it</button></p></form>`;
}
