/** The last runs of a flow as bars, the newest at the right. */
import { html } from "../lib/html.js";
import { to } from "../lib/route.js";
import { hasEnded, kindOf } from "../lib/states.js";
import { span } from "../lib/time.js";

/** @param {{runs: any[]}} props */
export function Sparks({ runs }) {
  const most = Math.max(0.001, ...runs.map((run) => run.duration_s ?? 0));
  return html`<span class="sparks">${runs.map((run) => html`<a key=${run.id} href=${to("runs", run.id)} data-kind=${kindOf(run.state)}
      data-ended=${hasEnded(run.state)} aria-label=${`${run.name}, ${run.state}, ${span(run.duration_s)}`}
      title=${`${run.name}: ${run.state} ${span(run.duration_s)}`}
      style=${{ height: `${20 + (80 * (run.duration_s ?? most)) / most}%` }} />`)}</span>`;
}
