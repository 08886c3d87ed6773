// What a first visitor sees: how to submit a job, in lines to be copied.
import { html, useRef, useState } from "./html.js";
import * as jobs from "./jobs.js";
import { who } from "./session.js";

const OPTIONS = `{
    "dipole": {"length": 0.5, "radius": 0.001, "segments": 21},
    "frequencies": {"start": 2e8, "stop": 4e8, "points": 101},
    "result": "dipole.s1p"}`;
const DIPOLE = `{"solver": "nec", "name": "dipole", "options": ${OPTIONS}}`;
const IN_PYTHON = "from solveyard import Yard\n\n";
const JSON_TYPE = "-H 'Content-Type: application/json'";

export function Empty() {
  const here = new URL(".", location.href).href;
  const guest = who.value?.owner === false;
  return html`<section class="empty">
    <svg viewBox="0 0 120 48" aria-hidden="true"><path d="M4 8 C40 8 44 10 52 24 C57 34 58 43 60 43 C62 43 63 34 68 24 C76 10 80 8 116 8" /></svg>
    <h2>No jobs yet.</h2>
    <p>Submit the first one; it will show up here at once.</p>
    ${guest ? html`<${Elsewhere} here=${here} />` : html`<${Here} here=${here} />`}
  </section>`;
}

/** For the manager's own account, which needs no token. */
function Here({ here }) {
  const store = jobs.status.value?.store ?? "";
  const quoted = /^[\w/.+@:-]+$/.test(store) ? store : `'${store.replaceAll("'", "'\\''")}'`;
  return html`
    <${Copyable} name="In a shell" text=${`solveyard --store ${quoted} submit --name hello -- python3 -c "print(6 * 7)"`} />
    <${Copyable} name="In Python" text=${`${IN_PYTHON}with Yard(${JSON.stringify(store)}) as yard:
    yard.command(["python3", "-c", "print(6 * 7)"], name="hello")`} />
    <${Copyable} name="Over HTTP: a dipole antenna, solved by NEC2" text=${`curl ${here}jobs ${JSON_TYPE} -d '${DIPOLE}'`} />`;
}

/** For who has a token: they may have no folder in common with the manager, and may not run every program. */
function Elsewhere({ here }) {
  const token = '-H "Authorization: Bearer $SOLVEYARD_TOKEN"';
  return html`
    <p>Put your token into the environment variable <code>SOLVEYARD_TOKEN</code> before. The job is a dipole antenna, solved by NEC2.</p>
    <${Copyable} name="In a shell" text=${`solveyard --url ${here} submit --solver nec --name dipole --options '${OPTIONS}'`} />
    <${Copyable} name="In Python" text=${`${IN_PYTHON}with Yard(url=${JSON.stringify(here)}) as yard:
    yard.submit("nec", ${OPTIONS}, name="dipole")`} />
    <${Copyable} name="Over HTTP" text=${`curl ${here}jobs ${token} ${JSON_TYPE} -d '${DIPOLE}'`} />`;
}

function Copyable({ name, text }) {
  const code = useRef(null);
  const [told, tell] = useState("Copy");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      tell("Copied");
    } catch {
      // no clipboard without https, but on localhost
      getSelection().selectAllChildren(code.current);
      tell("Press Ctrl+C");
    }
    setTimeout(() => tell("Copy"), 3000);
  };
  return html`<figure><figcaption>${name}
      <button onClick=${copy} aria-label=${`${told}: ${name}`}>${told}</button></figcaption>
    <pre><code ref=${code}>${text}</code></pre></figure>`;
}
