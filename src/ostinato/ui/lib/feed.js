/** What happens, as it happens: one stream for all views of this browser, shared between its tabs.
 *
 * The tab that holds the lock reads the stream and tells the others; when it closes, another one takes over
 * where it stopped. Views are told at once after a pause, and at most every 150 ms, with all that
 * came meanwhile.
 */
import { signal } from "@preact/signals";

/** `live`, `connecting` or `paused`. */
export const link = signal("connecting");

const PAUSE_MS = 150;
/** Events of one commit come together. */
const LEAST_MS = 10;
const AGAIN_MS = 1000;
const NAME = `ostinato.feed ${new URL(document.baseURI).pathname}`;
/** Servers that one proxy shows below different paths are apart. */
const channel = new BroadcastChannel(NAME);
/** @type {Set<(events: Happening[]) => void>} */
const listeners = new Set();
/** @type {Happening[]} */
let waiting = [];
let timer = 0;
let toldAt = 0;
let last = "";
/** Whether this tab reads the stream. */
let reads = false;
/** Whether a view of this tab has shown something. */
let shows = false;

/** @typedef {{id: string, kind: string, data: any}} Happening */

/** Be told of what happens; gives what ends it. */
export function listen(/** @type {(events: Happening[]) => void} */ listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Be told that a view shows what the server answered. */
export function shown() {
  shows = true;
}

function take(/** @type {Happening} */ event) {
  last = event.id;
  waiting.push(event);
  timer ||= setTimeout(() => {
    const events = waiting;
    waiting = [];
    timer = 0;
    toldAt = performance.now();
    for (const listener of listeners) listener(events);
  }, Math.max(LEAST_MS, toldAt + PAUSE_MS - performance.now()));
}

channel.onmessage = (/** @type {MessageEvent} */ { data }) => {
  if (data.event) take(data.event);
  if (data.link) link.value = data.link;
  if (data.last) last = data.last;
  if (data.joins && reads) channel.postMessage({ link: link.value, last });
};

function tell(/** @type {string} */ word) {
  link.value = word;
  channel.postMessage({ link: word });
}

/** Read the stream while this tab may. */
function read() {
  return new Promise((done) => {
    const source = new EventSource(new URL(`api/feed${last ? `?after=${last}` : ""}`, document.baseURI));
    source.onopen = () => {
      tell("live");
      if (shows && !last) take({ id: "", kind: "reload", data: null }); // nobody knows what happened until now
    };
    source.onerror = () => {
      tell("connecting");
      if (source.readyState !== EventSource.CLOSED) return;
      last = ""; // what came after it is not kept any more: views have to look again
      const event = { id: "", kind: "reload", data: null };
      channel.postMessage({ event });
      take(event);
      setTimeout(done, AGAIN_MS);
    };
    source.onmessage = take_;
    for (const kind of KINDS) source.addEventListener(kind, take_);
    function take_(/** @type {MessageEvent} */ message) {
      const event = { id: message.lastEventId, kind: message.type, data: JSON.parse(message.data) };
      channel.postMessage({ event });
      take(event);
    }
  });
}

/** All kinds that the server tells. */
export const KINDS = ["run-created", "run-moved", "task-started", "task-moved", "logged", "logs-dropped", "artifact-made",
  "checkpoint-saved", "cache-stored", "variable-set", "run-asked", "run-released", "run-dropped", "run-claimed", "stream-lost",
  "tick-planned", "schedule-planned", "deployment-set", "deployment-removed", "queue-set", "limit-set", "worker-joined",
  "worker-left", "user-set", "key-set", "secret-set", "input-asked", "input-given", "audited", "experiment-made",
  "experiment-changed", "experiment-tagged", "tracking-begun", "tracking-changed", "params-logged", "tags-logged",
  "metrics-logged", "file-logged", "input-logged", "logged-model-made", "logged-model-changed", "logged-model-tagged",
  "logged-model-params", "logged-model-metrics", "logged-model-described", "logged-model-linked",
  "dataset-seen", "dataset-used", "model-set", "model-renamed", "model-removed", "model-tagged", "version-made",
  "version-changed", "version-removed", "alias-moved", "stage-moved", "gate-checked"];

/** Begin. */
export function begin() {
  channel.postMessage({ joins: true }); // whoever reads says how it stands
  void navigator.locks.request(NAME, async () => {
    reads = true;
    for (;;) await read();
  });
}
