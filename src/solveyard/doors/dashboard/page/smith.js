// Reflections in the Smith chart: the unit disk with circles of equal resistance and reactance.
import { CURVES } from "./chart.js";
import { html, useState } from "./html.js";
import { frequency, short } from "./words.js";

const GRID = [0.2, 0.5, 1, 2, 5]; // normalized resistances, and reactances of either sign
const EDGE = 1.08; // half of the picture, at least over what is in it; the disk's radius is 1
const FEW = 3; // points below which each is marked
const DIGITS = 4; // of a coordinate

/** `curves`: {label, real, imag} over `over`, in `unit`; `resistance`: what they are normalized to, ohm. */
export function Smith({ over, unit, curves, resistance, label }) {
  const [at, look] = useState(null); // {curve, index}: what the pointer is at
  const found = at && curves[at.curve] && at.index < over.length ? at : null;
  const size = EDGE * Math.max(1, ...curves.flatMap(({ real, imag }) => real.map((one, i) => Math.hypot(one, imag[i]))));
  const near = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const x = (2 * (event.clientX - box.left) / box.width - 1) * size;
    const y = (1 - 2 * (event.clientY - box.top) / box.height) * size;
    look(nearest(curves, x, y));
  };
  return html`<figure class="smith" role="img" aria-label=${label}>
    <svg viewBox=${`${-size} ${-size} ${2 * size} ${2 * size}`} onPointerMove=${near} onPointerLeave=${() => look(null)} aria-hidden="true">
      <g class="grid"><circle r="1" /><path d="M-1 0 H1" />
        ${GRID.map((r) => html`<circle key=${r} cx=${r / (1 + r)} r=${1 / (1 + r)} />`)}
        ${GRID.flatMap((x) => [html`<path key=${x} d=${reactance(x, 1)} />`, html`<path key=${-x} d=${reactance(x, -1)} />`])}</g>
      ${curves.map((curve, index) => html`<path key=${curve.label} class="trace" d=${path(curve)}
        style=${{ stroke: `var(--curve-${index % CURVES})` }} />`)}
      ${over.length < FEW && curves.flatMap((curve, index) => curve.real.map((one, i) => html`<circle class="mark" r="0.03"
        key=${`${curve.label} ${i}`} cx=${one} cy=${-curve.imag[i]} style=${{ fill: `var(--curve-${index % CURVES})` }} />`))}
      ${found && html`<circle class="mark" r="0.022" cx=${curves[found.curve].real[found.index]} cy=${-curves[found.curve].imag[found.index]}
        style=${{ fill: `var(--curve-${found.curve % CURVES})` }} />`}
    </svg>
    <figcaption>${found
      ? `${curves[found.curve].label} at ${frequency(over[found.index])} ${unit}: ${impedance(curves[found.curve], found.index, resistance)}`
      : curves.map((curve, index) => html`<span key=${curve.label}><span class="swatch" style=${{ background: `var(--curve-${index % CURVES})` }}></span> ${curve.label} </span>`)}
    </figcaption></figure>`;
}

/** The arc of equal reactance `x`, from the open end at the right to the rim; `sign`: 1 inductive, above. */
function reactance(x, sign) {
  const rim = (x * x - 1) / (x * x + 1);
  const height = (2 * x) / (x * x + 1);
  return `M1 0 A${1 / x} ${1 / x} 0 0 ${sign > 0 ? 1 : 0} ${rim} ${-sign * height}`;
}

function path({ real, imag }) {
  return real.map((one, i) => `${i ? "L" : "M"}${one.toFixed(DIGITS)} ${(-imag[i]).toFixed(DIGITS)}`).join("");
}

function nearest(curves, x, y) {
  let [best, found] = [0.02, null]; // square of the largest distance that counts
  curves.forEach(({ real, imag }, curve) => real.forEach((one, index) => {
    const away = (one - x) ** 2 + (imag[index] - y) ** 2;
    if (away < best) [best, found] = [away, { curve, index }];
  }));
  return found;
}

/** Z = R (1 + S) / (1 - S), as "48.2 + 3.1j Ω". */
function impedance({ real, imag }, index, resistance) {
  const [a, b] = [real[index], imag[index]];
  const size = (1 - a) ** 2 + b ** 2;
  if (size < 1e-12) return "open";
  const [r, x] = [(1 - a * a - b * b) / size, (2 * b) / size].map((part) => Number((part * resistance).toPrecision(4)));
  return `${short(r)} ${x < 0 ? "−" : "+"} ${short(Math.abs(x))}j Ω`;
}
