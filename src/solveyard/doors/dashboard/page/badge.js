// A state as it is shown everywhere.
import { html } from "./html.js";
import { clusters, waitsElsewhere } from "./jobs.js";
import { FINAL, STATES } from "./words.js";

/** What many in a state are called. */
export function called(state) {
  return state === "submitted" && !clusters.value ? "starting" : STATES[state].word;
}

/** A state by its sign, its word and its colour. */
export function Badge({ state, row }) {
  const { icon, word } = STATES[state];
  const more = row?.cancel_requested && !FINAL.has(state) ? "ending" : row?.stale || row?.stale_since ? "unconfirmed" : "";
  const here = state === "submitted" && row && !waitsElsewhere(row) ? "starting" : word;
  return html`<span class=${`badge ${state}`}><span class="sign" aria-hidden="true">${icon}</span
    >${more || here}</span>`;
}
