// What every component needs, in one place.
import { h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";
import { useEffect, useState } from "../vendor/hooks.js";

export { useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
export { batch, computed, effect, signal } from "../vendor/signals.js";
export { render };
export const html = htm.bind(h);

/** A component that is loaded when it is first shown: `later(() => import("./plot.js"), "Plots")`. */
export function later(load, name) {
  let Part = null;
  return function Later(props) {
    const [, show] = useState(false);
    useEffect(() => {
      if (!Part) load().then((module) => ((Part = module[name]), show(true)), () => {}); // the next look tries again
    }, []);
    return Part && html`<${Part} ...${props} />`;
  };
}
