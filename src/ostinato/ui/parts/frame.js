/** What stands around every view: the rail, the bar above, what lies over it. */
import { all, offer, overlay } from "../lib/commands.js";
import { link } from "../lib/feed.js";
import { html } from "../lib/html.js";
import { go, place, to } from "../lib/route.js";
import { changeTheme, theme } from "../lib/theme.js";
import { changeZone, zone } from "../lib/time.js";
import { Help, Palette } from "./palette.js";

/** What stands in the rail, and the keys that lead there; a group begins with `first`. */
const PLACES = /** @type {{name: string, words: string, glyph: string, keys: string, first?: boolean}[]} */ ([
  { name: "", words: "Home", glyph: "⌂", keys: "g h" },
  { name: "runs", words: "Runs", glyph: "▤", keys: "g r" },
  { name: "flows", words: "Flows", glyph: "⇶", keys: "g f" },
  { name: "deployments", words: "Deployments", glyph: "◷", keys: "g d" },
  { name: "workers", words: "Workers", glyph: "⚒", keys: "g w" },
  { name: "experiments", words: "Experiments", glyph: "∿", keys: "g e", first: true },
  { name: "models", words: "Models", glyph: "◆", keys: "g m" },
  { name: "datasets", words: "Datasets", glyph: "▦", keys: "g t" },
  { name: "artifacts", words: "Artifacts", glyph: "▧", keys: "g a", first: true },
  { name: "events", words: "Events", glyph: "≣", keys: "g n" },
  { name: "variables", words: "Variables", glyph: "≔", keys: "g v" },
  { name: "settings", words: "Settings", glyph: "⚙", keys: "g s" },
]);
const LINKS = /** @type {Record<string, [string, string]>} */ ({
  live: ["●", "live"],
  connecting: ["◌", "reconnecting"],
});

const addressOf = (/** @type {string} */ name) => (name ? to(name) : to());

offer(PLACES.map(({ name, words, keys }) => ({ keys, words: `Go to ${words}`, group: "Go", run: () => go(addressOf(name)) })));

/** @param {{children: any}} props */
export function Frame({ children }) {
  const here = place.value.parts[0] ?? "";
  const [glyph, words] = LINKS[link.value] ?? ["◌", link.value];
  const isDark = theme.value === "dark";
  return html`<a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => {
      event.preventDefault();
      document.getElementById("main")?.focus();
    }}>Skip to the view</a>
    <nav class="rail" aria-label="Places"><a class="brand" href=${to()}>Ostinato</a>
      ${PLACES.map((one) => html`<a key=${one.name} href=${addressOf(one.name)} class=${one.first ? "first" : undefined} title=${`${one.words} (${one.keys})`} aria-current=${here === one.name ? "page" : undefined}><i aria-hidden="true">${one.glyph}</i><span>${one.words}</span></a>`)}</nav>
    <header class="top">
      <button class="find" onClick=${() => (overlay.value = "palette")}>Find or do <kbd>Ctrl K</kbd></button>
      <span class="link" data-link=${link.value} role="status"><i aria-hidden="true">${glyph}</i> ${words}</span>
      <button class="zone" onClick=${changeZone} title="Change between local time and UTC (u)">${zone.value === "UTC" ? "UTC" : "Local time"}</button>
      <button onClick=${changeTheme} title="Change between light and dark (t)"><i aria-hidden="true">${isDark ? "☾" : "☀"}</i> <span>${isDark ? "Dark" : "Light"}</span></button>
      <button onClick=${() => (overlay.value = "help")} aria-label="Keys" title="Keys (?)">?</button>
    </header>
    <main id="main" tabindex="-1">${children}</main>
    ${overlay.value === "palette" && html`<${Palette} commands=${all()} />`}
    ${overlay.value === "help" && html`<${Help} commands=${all()} />`}`;
}
