/** What stands around every view: the rail, the bar above, what lies over it. */
import { all, overlay } from "../lib/commands.js";
import { link } from "../lib/feed.js";
import { html } from "../lib/html.js";
import { place, to } from "../lib/route.js";
import { changeTheme, theme } from "../lib/theme.js";
import { changeZone, zone } from "../lib/time.js";
import { Help, Palette } from "./palette.js";

const PLACES = /** @type {const} */ ([
  { name: "", words: "Home", glyph: "⌂" },
  { name: "runs", words: "Runs", glyph: "▤" },
  { name: "deployments", words: "Deployments", glyph: "◷" },
  { name: "workers", words: "Workers", glyph: "⚙" },
  { name: "experiments", words: "Experiments", glyph: "∿" },
  { name: "models", words: "Models", glyph: "◆" },
]);
const LINKS = /** @type {Record<string, [string, string]>} */ ({
  live: ["●", "live"],
  connecting: ["◌", "reconnecting"],
});

/** @param {{children: any}} props */
export function Frame({ children }) {
  const here = place.value.parts[0] ?? "";
  const [glyph, words] = LINKS[link.value] ?? ["◌", link.value];
  return html`<a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => {
      event.preventDefault();
      document.getElementById("main")?.focus();
    }}>Skip to the view</a>
    <nav class="rail" aria-label="Places"><a class="brand" href=${to()}>Ostinato</a>
      ${PLACES.map((one) => html`<a key=${one.name} href=${one.name ? to(one.name) : to()} aria-current=${here === one.name ? "page" : undefined}><i aria-hidden="true">${one.glyph}</i><span>${one.words}</span></a>`)}</nav>
    <header class="top">
      <button class="find" onClick=${() => (overlay.value = "palette")}>Find or do <kbd>Ctrl K</kbd></button>
      <span class="link" data-link=${link.value} role="status"><i aria-hidden="true">${glyph}</i> ${words}</span>
      <button onClick=${changeZone} title="Change between local time and UTC">${zone.value === "UTC" ? "UTC" : "Local time"}</button>
      <button onClick=${changeTheme} title="Change between light and dark">${theme.value === "dark" ? "Dark" : "Light"}</button>
      <button onClick=${() => (overlay.value = "help")} aria-label="Keys">?</button>
    </header>
    <main id="main" tabindex="-1">${children}</main>
    ${overlay.value === "palette" && html`<${Palette} commands=${all()} />`}
    ${overlay.value === "help" && html`<${Help} commands=${all()} />`}`;
}
