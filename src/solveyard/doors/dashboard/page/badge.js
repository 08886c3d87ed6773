// A state as it is shown everywhere.
import { html } from "./html.js";
import { FINAL, STATES } from "./words.js";

/** A state by its sign, its word and its colour. */
export function Badge({ state, row }) {
  const { icon, word } = STATES[state];
  const more = row?.cancel_requested && !FINAL.has(state) ? "ending" : row?.stale || row?.stale_since ? "unconfirmed" : "";
  return html`<span class=${`badge ${state}`}><span class="sign" aria-hidden="true">${icon}</span
    >${more || word}</span>`;
}
