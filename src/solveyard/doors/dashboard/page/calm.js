// What changes often, seen now and then.
import { useEffect, useRef, useState } from "./html.js";

/** `value`, but another one not more often than each `pause` ms. */
export function useCalm(value, pause) {
  const [calm, settle] = useState(value);
  const last = useRef(0);
  useEffect(() => {
    if (value === calm) return undefined;
    const timer = setTimeout(() => {
      last.current = Date.now();
      settle(value);
    }, Math.max(0, last.current + pause - Date.now()));
    return () => clearTimeout(timer);
  }, [value, calm]);
  return calm;
}
