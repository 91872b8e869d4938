/** When each task ran: one bar each, in lanes, so that what ran at once is seen at once. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { ask, withQuery } from "../lib/api.js";
import { listen } from "../lib/feed.js";
import { html } from "../lib/html.js";
import { kindOf } from "../lib/states.js";
import { now, span, taken } from "../lib/time.js";
import { Failure } from "./notices.js";

const MOST = 1000;
const LANE = 22;

/** @param {{run: any, counts: any[]}} props */
export function Timeline({ run, counts }) {
  const [tasks, setTasks] = useState(/** @type {any[] | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const total = counts.reduce((n, one) => n + one.total, 0);
  useEffect(() => {
    let over = false;
    let timer = 0;
    async function load() {
      timer = 0;
      try {
        const page = await ask(withQuery(`api/runs/${run.id}/tasks`, { limit: MOST }));
        if (!over) setTasks(page.items);
      } catch (problem) {
        if (!over) setError(problem);
      }
    }
    void load();
    const end = listen((events) => {
      if (events.some((event) => event.kind.startsWith("task-") && event.data.run_id === run.id)) timer ||= setTimeout(load, 300);
    });
    return () => {
      over = true;
      clearTimeout(timer);
      end();
    };
  }, [run.id, run.epoch]);
  if (error) return html`<${Failure} error=${error} />`;
  if (!tasks?.length) return null;
  return html`<h2>Timeline ${total > MOST && html`<span class="quiet">the first ${MOST.toLocaleString("en")} of ${total.toLocaleString("en")} task runs</span>`}</h2>
    <${Bars} tasks=${tasks} />`;
}

/** Put each task into the first lane that is free when it begins. */
export function lanes(/** @type {{begin: number, end: number}[]} */ bars) {
  /** @type {number[]} */
  const free = [];
  return bars.map((bar) => {
    let lane = free.findIndex((end) => end <= bar.begin);
    if (lane < 0) lane = free.length;
    free[lane] = bar.end;
    return lane;
  });
}

/** @param {{tasks: any[]}} props */
function Bars({ tasks }) {
  const active = tasks.some((task) => task.started_at && !task.ended_at);
  const at = active ? now.value : 0;
  const { bars, first, length, n } = useMemo(() => {
    const found = tasks
      .filter((task) => task.started_at)
      .map((task) => ({ task, begin: Date.parse(task.started_at), end: task.ended_at ? Date.parse(task.ended_at) : at }))
      .sort((a, b) => a.begin - b.begin || a.task.no - b.task.no);
    const begin = found[0]?.begin ?? 0;
    const whole = Math.max(1, ...found.map((bar) => bar.end - begin));
    const least = whole / 400; // thinner bars are drawn as wide as this, and do not share a lane
    const places = lanes(found.map((bar) => ({ begin: bar.begin, end: Math.max(bar.end, bar.begin + least) })));
    return { bars: found.map((bar, index) => ({ ...bar, lane: places[index] ?? 0 })), first: begin, length: whole, n: Math.max(0, ...places) + 1 };
  }, [tasks, at]);
  return html`<div class="timeline" role="list" aria-label="Task runs by time" style=${{ height: `${n * LANE + 4}px` }}>
      ${bars.map(({ task, begin, end, lane }) => {
        const words = `${task.name}: ${task.state} ${span(taken(task.started_at, task.ended_at, at))}${task.attempt > 1 ? `, attempt ${task.attempt}` : ""}${task.message ? `. ${task.message}` : ""}`;
        return html`<span key=${task.no} role="listitem" class="bar-of-task" data-kind=${kindOf(task.state)} title=${words} aria-label=${words}
          style=${{ left: `${(100 * (begin - first)) / length}%`, width: `max(3px, ${(100 * (end - begin)) / length}%)`, top: `${lane * LANE}px` }}>${task.name}</span>`;
      })}</div>
    <p class="axis quiet"><span>0s</span><span>${span(length / 1000)}</span></p>`;
}
