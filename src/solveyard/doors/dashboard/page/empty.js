// What a first visitor sees: how to submit a job, in lines to be copied.
import { html, useRef, useState } from "./html.js";
import * as jobs from "./jobs.js";

const DIPOLE = `{"solver": "nec", "name": "dipole", "options": {
    "dipole": {"length": 0.5, "radius": 0.001, "segments": 21},
    "frequencies": {"start": 2e8, "stop": 4e8, "points": 101},
    "result": "dipole.s1p"}}`;

export function Empty() {
  const store = jobs.status.value?.store ?? "";
  const quoted = /^[\w/.+@:-]+$/.test(store) ? store : `'${store.replaceAll("'", "'\\''")}'`;
  const here = new URL(".", location.href).href;
  return html`<section class="empty">
    <svg viewBox="0 0 120 48" aria-hidden="true"><path d="M4 8 C40 8 44 10 52 24 C57 34 58 43 60 43 C62 43 63 34 68 24 C76 10 80 8 116 8" /></svg>
    <h2>No jobs yet.</h2>
    <p>Submit the first one; it will show up here at once.</p>
    <${Copyable} name="In a shell" text=${`solveyard --store ${quoted} submit --name hello -- python3 -c "print(6 * 7)"`} />
    <${Copyable} name="In Python" text=${`from solveyard import Yard

with Yard(${JSON.stringify(store)}) as yard:
    yard.command(["python3", "-c", "print(6 * 7)"], name="hello")`} />
    <${Copyable} name="Over HTTP: a dipole antenna, solved by NEC2" text=${`curl ${here}jobs -H 'Content-Type: application/json' -d '${DIPOLE}'`} />
  </section>`;
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
