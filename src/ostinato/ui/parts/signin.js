/** What a browser sees that is not let in yet. */
import { useState } from "preact/hooks";
import { ask } from "../lib/api.js";
import { html } from "../lib/html.js";

export function SignIn() {
  const [said, setSaid] = useState("");
  async function enter(/** @type {any} */ event) {
    event.preventDefault();
    try {
      await ask("api/session", { method: "POST", body: { key: event.currentTarget.elements.key.value.trim() } });
      location.reload();
    } catch (problem) {
      setSaid(problem instanceof Error ? problem.message : String(problem));
    }
  }
  return html`<main id="main" class="signin"><h1>Ostinato</h1>
    <p>This browser is not let in yet. Open the address that <code>ostinato up</code> prints: it lets one browser in, once.</p>
    <p>Or enter an API key:</p>
    <form class="query" onSubmit=${enter}><input name="key" type="password" autocomplete="off" required aria-label="API key" /><button class="main">Sign in</button></form>
    ${said && html`<p class="notice bad" role="alert">${said}</p>`}
    <p class="quiet"><code>ostinato keys create</code> makes a key.</p></main>`;
}
