/** Something that is asked of the server: whether it is under way, and why it was refused. */
import { useState } from "preact/hooks";

/**
 * Give a function that does some work, tells whether it went well, and keeps the error of the last one that did not.
 * @returns {{attempt: (work: () => Promise<unknown>) => Promise<boolean>, error: any, busy: boolean}}
 */
export function useAttempt() {
  const [state, setState] = useState(/** @type {{error: any, busy: boolean}} */ ({ error: null, busy: false }));
  async function attempt(/** @type {() => Promise<unknown>} */ work) {
    setState({ error: null, busy: true });
    try {
      await work();
      setState({ error: null, busy: false });
      return true;
    } catch (error) {
      setState({ error, busy: false });
      return false;
    }
  }
  return { attempt, ...state };
}
