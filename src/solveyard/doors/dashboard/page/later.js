// Parts of the page that come when they are first shown.
import { html, useEffect, useState } from "./html.js";

/** The component of that name in the module that `load` brings. */
export function later(load, name) {
  let Part = null;
  return function Later(props) {
    const [told, tell] = useState("reading…");
    useEffect(() => {
      if (Part) return;
      const come = (module) => ((Part = module[name]), tell(""));
      load().then(come, () => tell("The manager does not answer."));
    }, []);
    return Part ? html`<${Part} ...${props} />` : html`<p class="faint">${told}</p>`;
  };
}
