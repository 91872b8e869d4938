/** Boxes over the view: they keep the focus while they are open, and give it back. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { useAttempt } from "../lib/attempt.js";
import { html } from "../lib/html.js";
import { Failure } from "./notices.js";

/** Close a box at Escape, and let no key that is pressed in it mean anything to the view below. */
export const contained = (/** @type {() => void} */ close) => (/** @type {KeyboardEvent} */ event) => {
  event.stopPropagation();
  if (event.key !== "Escape" || event.isComposing) return;
  event.preventDefault(); // else the browser closes it first and tells later, when another may be open
  close();
};

/** A box with a title; Escape closes it. @param {{label: string, close: () => void, children: any}} props */
export function Dialog({ label, close, children }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useLayoutEffect(() => {
    const before = document.activeElement;
    const shown = box.current;
    shown?.showModal();
    return () => {
      shown?.remove(); // nothing else takes the focus while it is there
      const next = before?.isConnected ? before : document.getElementById("main");
      if (next instanceof HTMLElement) next.focus();
    };
  }, []);
  return html`<dialog ref=${box} class="box" aria-labelledby="box-title" onClose=${close} onKeyDown=${contained(close)}><h2 id="box-title" dir="auto">${label}</h2>${children}</dialog>`;
}

/**
 * Ask before something is done; a refusal is shown here.
 * @param {{title: string, act: string, run: () => Promise<unknown>, close: () => void, children?: any}} props
 */
export function Confirm({ title, act, run, close, children }) {
  const { attempt, error, busy } = useAttempt();
  return html`<${Dialog} label=${title} close=${close}>${children}
    ${error && html`<${Failure} error=${error} />`}
    <p class="ends"><button autofocus onClick=${close}>Keep it</button>
      <button class="danger" disabled=${busy} onClick=${async () => (await attempt(run)) && close()}>${act}</button></p><//>`;
}
