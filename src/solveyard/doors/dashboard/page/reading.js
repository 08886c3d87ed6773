// What a part of the page reads from the manager, again and again.
import { useEffect, useRef, useState } from "./html.js";

/**
 * {found, error, stale}: what `read(signal)` found last, why it failed since, and is it still of another `what`? Read when `what` is another (null: nothing
 * is), which ends the reading before, and when something of `fresh` is another: that waits for the reading under way,
 * since one that began anew at each change would never end where changes come faster than answers.
 */
export function useReading(read, what, fresh) {
  const [told, settle] = useState({});
  const newest = useRef(null);
  newest.current = read;
  const look = useRef(null);
  useEffect(() => {
    const leaving = new AbortController();
    let [busy, wanted] = [false, false];
    look.current = async () => {
      wanted = true;
      if (busy) return;
      busy = true;
      while (wanted && !leaving.signal.aborted) {
        wanted = false;
        const news = await newest.current(leaving.signal).then((found) => ({ found, of: what, error: null }), (error) => ({ error }));
        if (!leaving.signal.aborted) settle((before) => ({ ...before, ...news }));
      }
      busy = false;
    };
    return () => leaving.abort();
  }, [what]);
  useEffect(() => {
    if (what !== null) look.current();
  }, [what, ...fresh]);
  return { ...told, stale: told.of !== what };
}
