// Parts of the page that come when they are first shown.
import { connection } from "./feed.js";
import { html, useEffect, useState } from "./html.js";

/** The component of that name in the module that `load` brings. */
export function later(load, name) {
  let Part = null;
  return function Later(props) {
    const [told, tell] = useState("reading…");
    const live = connection.value.state === "live";
    useEffect(() => {
      if (Part || !live) return;
      const come = (module) => ((Part = module[name]), tell(""));
      load().then(come, () => tell("The manager does not answer."));
    }, [live]);
    return Part ? html`<${Part} ...${props} />` : html`<p class="faint">${told}</p>`;
  };
}
