/** The web interface: shows the view of the address inside the frame. */
import { render } from "preact";
import "@preact/signals";
import { isStranger } from "./lib/api.js";
import { begin } from "./lib/feed.js";
import { html } from "./lib/html.js";
import { place, to } from "./lib/route.js";
import { useEffect, useState } from "preact/hooks";
import { Frame } from "./parts/frame.js";
import { Empty, Failure, Skeleton } from "./parts/notices.js";
import { SignIn } from "./parts/signin.js";
import { Home } from "./pages/home.js";

/** Views by the first part of the address; a page is loaded when it is first shown. */
const VIEWS = /** @type {Record<string, {title: string, load: () => Promise<(parts: string[]) => any>}>} */ ({
  "": { title: "Home", load: async () => () => html`<${Home} />` },
  runs: {
    title: "Runs",
    load: async () => {
      const [{ Runs }, { Run }] = await Promise.all([import("./pages/runs.js"), import("./pages/run.js")]);
      return ([, id]) => (id ? html`<${Run} key=${id} id=${id} />` : html`<${Runs} />`);
    },
  },
  deployments: {
    title: "Deployments",
    load: async () => {
      const { Deployments } = await import("./pages/deployments.js");
      return () => html`<${Deployments} />`;
    },
  },
  experiments: {
    title: "Experiments",
    load: async () => {
      const { Experiments } = await import("./pages/experiments.js");
      return ([, name]) => html`<${Experiments} name=${name} />`;
    },
  },
  models: {
    title: "Models",
    load: async () => {
      const { Models } = await import("./pages/models.js");
      return ([, name]) => html`<${Models} name=${name} />`;
    },
  },
  workers: {
    title: "Workers",
    load: async () => {
      const { Workers } = await import("./pages/workers.js");
      return () => html`<${Workers} />`;
    },
  },
});

function View() {
  const { parts } = place.value;
  const name = parts[0] ?? "";
  const [shown, setShown] = useState(/** @type {{name: string, view: any, error: any} | null} */ (null));
  useEffect(() => {
    document.title = `${parts[1] ?? VIEWS[name]?.title ?? "Not found"} · Ostinato`;
    VIEWS[name]?.load().then(
      (view) => setShown({ name, view, error: null }),
      () => setShown({ name, view: null, error: new Error("This page could not be loaded. The server may have a newer version: load the page again.") }),
    );
  }, [name, parts[1]]);
  if (!VIEWS[name]) return html`<${Empty} title="There is no such page"><p><a href=${to()}>Go to Home</a></p><//>`;
  if (shown?.name !== name) return html`<${Skeleton} />`;
  return shown.error ? html`<${Failure} error=${shown.error} />` : shown.view(parts);
}

function App() {
  return isStranger.value ? html`<${SignIn} />` : html`<${Frame}><${View} /><//>`;
}

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
begin();
