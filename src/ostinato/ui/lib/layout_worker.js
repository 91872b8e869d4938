/** The layout of large graphs, beside the page. */
import { layout } from "./layout.js";

addEventListener("message", (/** @type {MessageEvent} */ { data }) => postMessage({ no: data.no, places: layout(data.ids, data.edges) }));
