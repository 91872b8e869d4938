/** The web interface: shows the view of the address inside the frame. */
import { render } from "preact";
import "@preact/signals";
import { isStranger } from "./lib/api.js";
import { begin } from "./lib/feed.js";
import { html } from "./lib/html.js";
import { place, to } from "./lib/route.js";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Frame } from "./parts/frame.js";
import { Empty, Failure, Skeleton } from "./parts/notices.js";
import { SignIn } from "./parts/signin.js";

/** Views by the first part of the address; a page is loaded when it is first shown, by the depth of the address. */
const VIEWS = /** @type {Record<string, {title: string, load: (parts: string[]) => Promise<(parts: string[]) => any>}>} */ ({
  "": {
    title: "Home",
    load: async () => {
      const { Home } = await import("./pages/home.js");
      return () => html`<${Home} />`;
    },
  },
  runs: {
    title: "Runs",
    load: async ([, one, part, number]) => {
      if (part === "tasks" && number) {
        const { Task } = await import("./pages/task.js");
        return ([, id = "", , no = ""]) => html`<${Task} key=${`${id}/${no}`} id=${id} no=${no} />`;
      }
      if (!one) {
        const { Runs } = await import("./pages/runs.js");
        return () => html`<${Runs} />`;
      }
      const { Run } = await import("./pages/run.js");
      return ([, id]) => html`<${Run} key=${id} id=${id} />`;
    },
  },
  flows: {
    title: "Flows",
    load: async ([, name]) => {
      if (name) {
        const { Flow } = await import("./pages/flow.js");
        return ([, one = ""]) => html`<${Flow} key=${one} name=${one} />`;
      }
      const { Flows } = await import("./pages/flows.js");
      return () => html`<${Flows} />`;
    },
  },
  deployments: {
    title: "Deployments",
    load: async ([, one]) => {
      if (one) {
        const { Deployment } = await import("./pages/deployment.js");
        return ([, ...title]) => html`<${Deployment} key=${title.join("/")} title=${title.join("/")} />`;
      }
      const { Deployments } = await import("./pages/deployments.js");
      return () => html`<${Deployments} />`;
    },
  },
  experiments: {
    title: "Experiments",
    load: async ([, name, run]) => {
      if (run) {
        const { TrackingRun } = await import("./pages/tracking.js");
        return ([, experiment = "", id = ""]) => html`<${TrackingRun} key=${id} experiment=${experiment} id=${id} />`;
      }
      if (name) {
        const { Experiment } = await import("./pages/experiment.js");
        return ([, one]) => html`<${Experiment} key=${one} name=${one} />`;
      }
      const { Experiments } = await import("./pages/experiments.js");
      return () => html`<${Experiments} />`;
    },
  },
  models: {
    title: "Models",
    load: async ([, name, version]) => {
      if (version) {
        const { Version } = await import("./pages/version.js");
        return ([, model = "", one = ""]) => html`<${Version} key=${`${model}/${one}`} name=${model} version=${one} />`;
      }
      if (name) {
        const { Model } = await import("./pages/model.js");
        return ([, one]) => html`<${Model} key=${one} name=${one} />`;
      }
      const { Models } = await import("./pages/models.js");
      return () => html`<${Models} />`;
    },
  },
  datasets: {
    title: "Datasets",
    load: async ([, name, digest]) => {
      if (digest) {
        const { Dataset } = await import("./pages/dataset.js");
        return ([, data = "", one = ""]) => html`<${Dataset} key=${one} name=${data} digest=${one} />`;
      }
      if (name) {
        const { Data } = await import("./pages/data.js");
        return ([, one]) => html`<${Data} key=${one} name=${one} />`;
      }
      const { Datasets } = await import("./pages/datasets.js");
      return () => html`<${Datasets} />`;
    },
  },
  workers: {
    title: "Workers",
    load: async () => {
      const { Workers } = await import("./pages/workers.js");
      return () => html`<${Workers} />`;
    },
  },
  artifacts: {
    title: "Artifacts",
    load: async () => {
      const { Artifacts } = await import("./pages/artifacts.js");
      return ([, id]) => html`<${Artifacts} id=${id} />`;
    },
  },
  events: {
    title: "Events",
    load: async () => {
      const { Events } = await import("./pages/events.js");
      return () => html`<${Events} />`;
    },
  },
  variables: {
    title: "Variables",
    load: async () => {
      const { Variables } = await import("./pages/variables.js");
      return () => html`<${Variables} />`;
    },
  },
  settings: {
    title: "Settings",
    load: async () => {
      const { Settings } = await import("./pages/settings.js");
      return ([, part]) => html`<${Settings} part=${part} />`;
    },
  },
});

function View() {
  const { parts } = place.value;
  const name = parts[0] ?? "";
  const key = `${name}/${parts.length}`;
  const [shown, setShown] = useState(/** @type {{key: string, view: any, error: any} | null} */ (null));
  const isFirst = useRef(true);
  useLayoutEffect(() => {
    // what had the focus went with its view: the keys go on at the beginning of this one
    if (!isFirst.current && document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [parts.join("/")]);
  useEffect(() => {
    let over = false;
    document.title = `${parts[1] ?? VIEWS[name]?.title ?? "Not found"} · Ostinato`;
    VIEWS[name]?.load(parts).then(
      (view) => over || setShown({ key, view, error: null }),
      () => over || setShown({ key, view: null, error: new Error("This page could not be loaded. The server may have a newer version: load the page again.") }),
    );
    return () => void (over = true);
  }, [key, parts[1]]);
  if (!VIEWS[name]) return html`<${Empty} title="There is no such page"><p><a href=${to()}>Go to Home</a></p><//>`;
  if (shown?.key !== key) return html`<${Skeleton} />`;
  return shown.error ? html`<${Failure} error=${shown.error} />` : shown.view(parts);
}

function App() {
  return isStranger.value ? html`<${SignIn} />` : html`<${Frame}><${View} /><//>`;
}

render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
begin();
