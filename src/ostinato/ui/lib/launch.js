/** A run of a deployment as it stands. */
import { ask, Problem, withQuery } from "./api.js";
import { go, to } from "./route.js";

/** Make one and go to it; where parameters are needed, go to the form for them. @param {{id: string, flow: string, name: string}} one */
export async function launch(one) {
  try {
    go(to("runs", (await ask(`api/deployments/${one.id}/runs`, { method: "POST", body: {} })).id));
  } catch (problem) {
    if (!(problem instanceof Problem && problem.code === "parameters-misfit")) throw problem;
    go(withQuery(to("deployments", one.flow, one.name), { form: "run" }));
  }
}
