/** Instants and durations that go on by themselves. */
import { html } from "../lib/html.js";
import { distance, full, now, span, taken } from "../lib/time.js";

/** How far an instant is away, and in full on hover. @param {{at: string | null}} props */
export function When({ at }) {
  return at ? html`<time datetime=${at} title=${full(at)}>${distance(at, now.value)}</time>` : null;
}

/** How long a run takes. @param {{run: {started_at: string | null, ended_at: string | null}}} props */
export function Took({ run }) {
  if (!run.started_at) return null;
  return html`<span class="number">${span(taken(run.started_at, run.ended_at, run.ended_at ? 0 : now.value))}</span>`;
}
