/** What a view shows when there is nothing, not yet, or no way: empty, loading, error. */
import { html } from "../lib/html.js";

/** @param {{title: string, children?: any, code?: string}} props */
export function Empty({ title, children, code }) {
  return html`<div class="empty"><h2>${title}</h2>${children}${code && html`<${Code} text=${code} />`}</div>`;
}

/** @param {{error: any, again?: () => void}} props */
export function Failure({ error, again }) {
  return html`<div class="notice bad" role="alert">
    <p><strong>${error.message}</strong> <code>${error.code ?? ""}</code></p>
    ${error.hint && html`<p>${error.hint}</p>`}
    ${again && html`<button onClick=${again}>Try again</button>`}
  </div>`;
}

/** Give text with what stands between backticks as code. */
export const coded = (/** @type {string} */ text) => text.split("`").map((part, at) => (at % 2 ? html`<code key=${at}>${part}</code>` : part));

/** The shape of what comes, on first load only. */
export function Skeleton({ rows = 8 }) {
  return html`<div class="skeleton" role="status" aria-label="Loading">${Array.from({ length: rows }, () => html`<i />`)}</div>`;
}

/** Text to copy. @param {{text: string}} props */
export function Code({ text }) {
  return html`<div class="code"><pre tabindex="0"><code>${text}</code></pre><${Copy} text=${text} /></div>`;
}

/** @param {{text: string, words?: string}} props */
export function Copy({ text, words = "Copy" }) {
  return html`<button class="copy" onClick=${(/** @type {any} */ event) => {
    const button = event.currentTarget;
    void navigator.clipboard.writeText(text).then(() => {
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = words), 1200);
    });
  }}>${words}</button>`;
}
