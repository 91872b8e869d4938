/** Light or dark: as the system has it, until somebody chooses. */
import { signal } from "@preact/signals";

const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = localStorage.getItem("ostinato.theme");

/** `light` or `dark`. */
export const theme = signal(chosen ?? (system.matches ? "dark" : "light"));

theme.subscribe((name) => (document.documentElement.dataset.theme = name));

system.addEventListener("change", () => {
  if (!localStorage.getItem("ostinato.theme")) theme.value = system.matches ? "dark" : "light";
});

/** Choose the other one. */
export function changeTheme() {
  theme.value = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem("ostinato.theme", theme.value);
}
