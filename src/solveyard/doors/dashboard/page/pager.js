// Some of many rows at a time.
import { html } from "./html.js";
import { grouped } from "./words.js";

export const PAGE = 50; // rows

/** `turn(offset)` shows those from there on. */
export function Pager({ offset, total, noun, turn }) {
  if (total <= PAGE && offset === 0) return null;
  const last = Math.min(total, offset + PAGE);
  return html`<nav class="pager" aria-label=${`Pages of ${noun}`}>
    <button disabled=${offset === 0} onClick=${() => turn(Math.max(0, offset - PAGE))}>Previous</button>
    <span class="faint" role="status">${grouped(Math.min(offset + 1, total))}–${grouped(last)} of ${grouped(total)}</span>
    <button disabled=${last >= total} onClick=${() => turn(offset + PAGE)}>Next</button></nav>`;
}
