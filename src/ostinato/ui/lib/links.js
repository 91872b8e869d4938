/** Addresses of views with their queries. */
export { to } from "./route.js";
export { withQuery } from "./api.js";
