/** A part whose code is loaded when it is first shown. */
import { useEffect, useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Failure, Skeleton } from "./notices.js";

/** @param {{load: () => Promise<any>, props: any}} props */
export function Lazy({ load, props }) {
  const [found, setFound] = useState(/** @type {{part: any, error: any}} */ ({ part: null, error: null }));
  useEffect(() => {
    let over = false;
    load().then(
      (part) => over || setFound({ part, error: null }),
      () => over || setFound({ part: null, error: new Error("This part could not be loaded. The server may have a newer version: load the page again.") }),
    );
    return () => void (over = true);
  }, []);
  if (found.error) return html`<${Failure} error=${found.error} />`;
  return found.part ? html`<${found.part} ...${props} />` : html`<${Skeleton} />`;
}
