/** What can be done by key or palette: one registry feeds the keys, the palette and the help. */
import { signal } from "@preact/signals";
import { go, to } from "./route.js";
import { changeZone } from "./time.js";
import { changeTheme } from "./theme.js";

/** @typedef {{keys: string, words: string, group: string, run: () => void}} Command */

/** Commands of the whole interface. */
export const COMMANDS = /** @type {Command[]} */ ([
  { keys: "g h", words: "Go to Home", group: "Go", run: () => go(to()) },
  { keys: "g r", words: "Go to Runs", group: "Go", run: () => go(to("runs")) },
  { keys: "g d", words: "Go to Deployments", group: "Go", run: () => go(to("deployments")) },
  { keys: "g w", words: "Go to Workers", group: "Go", run: () => go(to("workers")) },
  { keys: "g e", words: "Go to Experiments", group: "Go", run: () => go(to("experiments")) },
  { keys: "g m", words: "Go to Models", group: "Go", run: () => go(to("models")) },
  { keys: "/", words: "Search in this view", group: "View", run: () => focusOn(document.querySelector("[data-search]")) },
  { keys: "t", words: "Change between light and dark", group: "View", run: changeTheme },
  { keys: "u", words: "Change between local time and UTC", group: "View", run: changeZone },
  { keys: "?", words: "Show the keys", group: "View", run: () => (overlay.value = "help") },
]);

/** Put the focus on an element, if it can have it. */
export function focusOn(/** @type {Element | null | undefined} */ element) {
  if (element instanceof HTMLElement || element instanceof SVGElement) element.focus();
}

/** Commands of the view that is shown. */
export const own = signal(/** @type {Command[]} */ ([]));

/** What lies over the view: `palette`, `help` or nothing. */
export const overlay = signal("");

/** Give all commands that hold now. */
export const all = () => [...own.value, ...COMMANDS];

let begun = "";
let begunAt = 0;

function isTyping(/** @type {EventTarget | null} */ target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    overlay.value = overlay.value === "palette" ? "" : "palette";
    return;
  }
  if (event.key === "Escape" && overlay.value) return void (overlay.value = "");
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || overlay.value) return;
  const commands = all();
  const keys = begun && event.timeStamp - begunAt < 1000 ? `${begun} ${event.key}` : event.key;
  const command = commands.find((one) => one.keys === keys);
  begun = commands.some((one) => one.keys.startsWith(`${event.key} `)) ? event.key : "";
  begunAt = event.timeStamp;
  if (command) {
    event.preventDefault();
    begun = "";
    command.run();
  }
});
