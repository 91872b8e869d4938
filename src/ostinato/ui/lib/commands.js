/** What can be done by key or palette: one registry feeds the keys, the palette and the help. */
import { signal } from "@preact/signals";
import { changeZone } from "./time.js";
import { changeTheme } from "./theme.js";

/**
 * A thing to do. One without `run` is done by what has the focus, and only told in the help.
 * @typedef {{keys: string, words: string, group: string, run?: () => void}} Command
 */

/** Commands of the whole interface. */
const COMMANDS = /** @type {Command[]} */ ([
  { keys: "j", words: "Next row", group: "Rows", run: () => step(1) },
  { keys: "k", words: "Last row", group: "Rows", run: () => step(-1) },
  { keys: "Enter", words: "Open the row", group: "Rows" },
  { keys: "/", words: "Search in this view", group: "View", run: () => focusOn(document.querySelector("[data-search]")) },
  { keys: "t", words: "Change between light and dark", group: "View", run: changeTheme },
  { keys: "u", words: "Change between local time and UTC", group: "View", run: changeZone },
  { keys: "Ctrl K", words: "Find or do", group: "View" },
  { keys: "?", words: "Show the keys", group: "View", run: () => (overlay.value = "help") },
]);

/** Put the focus on an element, if it can have it. */
export function focusOn(/** @type {Element | null | undefined} */ element) {
  if (element instanceof HTMLElement || element instanceof SVGElement) element.focus();
}

/** Move the focus between the rows of the view; from elsewhere to the first one. */
function step(/** @type {1 | -1} */ by) {
  const rows = [...document.querySelectorAll("main tr[tabindex]")];
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  focusOn(rows[here < 0 ? 0 : here + by]);
}

const offered = signal(/** @type {Command[][]} */ ([]));

/** Have commands until what is given back is called; they come before those that were there. */
export function offer(/** @type {Command[]} */ commands) {
  offered.value = [commands, ...offered.peek()];
  return () => void (offered.value = offered.peek().filter((one) => one !== commands));
}

/** Give all commands that hold now. */
export const all = () => [...offered.value.flat(), ...COMMANDS];

/** What lies over the view: `palette`, `help` or nothing. */
export const overlay = signal("");

let begun = "";
let begunAt = 0;

function isTyping(/** @type {EventTarget | null} */ target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && !(target instanceof HTMLInputElement && target.type === "checkbox"));
}

addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    overlay.value = overlay.value === "palette" ? "" : "palette";
    return;
  }
  if (event.key === "Escape" && overlay.value) return void (overlay.value = "");
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || overlay.value) return;
  const commands = all();
  const keys = begun && event.timeStamp - begunAt < 1000 ? `${begun} ${event.key}` : event.key;
  const command = commands.find((one) => one.keys === keys && one.run);
  begun = commands.some((one) => one.keys.startsWith(`${event.key} `)) ? event.key : "";
  begunAt = event.timeStamp;
  if (command?.run) {
    event.preventDefault();
    begun = "";
    command.run();
  }
});
