// Scattering parameters of a job's Touchstone files: over frequency in dB or degrees, or in the Smith chart.
import { get, ofJob } from "./api.js";
import { Chart, CURVES } from "./chart.js";
import { chosenFile, TOUCHSTONE } from "./files.js";
import { html, signal, useState } from "./html.js";
import { useReading } from "./reading.js";
import { Smith } from "./smith.js";
import { angle, count, frequency, frequencyUnit, grouped, level } from "./words.js";

const CHIPS = 4; // ports up to which all parameters are offered as buttons
const VIEWS = { level: "dB", phase: "Phase", smith: "Smith" };
const view = signal("level");

/** `files`: the job's own, and others in its folder, which are drawn only when they are chosen. */
export function Plots({ of, files, fresh }) {
  if (!files) return html`<p class="faint">reading…</p>`;
  const { own, others } = files;
  const wanted = chosenFile.value?.of === of ? chosenFile.value.path : null;
  const { path, modified } = [...own, ...others].find((file) => file.path === wanted) ?? own[0] ?? {};
  const options = (some) => some.map((file) => html`<option key=${file.path}>${file.path}</option>`);
  return html`
    ${!own.length && html`<p class="faint nothing">No Touchstone files (.s1p, .s2p, …) of its own yet.</p>`}
    ${own.length + others.length > (own.length ? 1 : 0) && html`<label class="field">File <select value=${path ?? ""}
      onChange=${(event) => (chosenFile.value = { of, path: event.target.value })}>
      ${!path && html`<option value="">choose one</option>`}${options(own)}
      ${others.length > 0 && html`<optgroup label="Other files in this folder">${options(others)}</optgroup>`}</select></label>`}
    ${path && html`<${Network} key=${`${of} ${path}`} of=${of} path=${path} fresh=${`${fresh} ${modified}`} />`}`;
}

function Network({ of, path, fresh }) {
  const ports = Number(TOUCHSTONE.exec(path)[1]);
  const [chosen, choose] = useState(["11"]);
  const place = `${ofJob(of, "touchstone", path)}?s=${encodeURIComponent(chosen.join(" "))}`;
  const { found: plot, error } = useReading((signal) => get(place, { signal }), place, [fresh]);
  const toggle = (name) => {
    const next = chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name];
    if (next.length && next.length <= CURVES) choose(next);
  };
  return html`<div class="plot">
    <div class="bar-of-tools"><div role="group" aria-label="Plotted as" class="switch">
      ${Object.entries(VIEWS).map(([name, word]) => html`<button key=${name} aria-pressed=${view.value === name}
        onClick=${() => (view.value = name)}>${word}</button>`)}</div></div>
    ${ports > 1 && ports <= CHIPS && html`<div class="chips" role="group" aria-label="Parameters">
      ${pairs(ports).map((name) => html`<button key=${name} class="chip" aria-pressed=${chosen.includes(name)}
        onClick=${() => toggle(name)}>S${name}</button>`)}</div>`}
    ${ports > CHIPS && html`<label class="field">Parameters, such as 1,1 2,1 <input value=${chosen.join(" ")}
      onChange=${(event) => choose(event.target.value.trim().split(/\s+/))} /></label>`}
    ${error && html`<p class="trouble" role="alert">${error.message}</p>`}
    ${plot && !error && html`<${Curves} plot=${plot} /><${Summary} plot=${plot} />`}
  </div>`;
}

function Curves({ plot }) {
  const [unit, scale] = frequencyUnit(plot.frequencies.at(-1));
  const over = plot.frequencies.map((one) => one / scale);
  if (view.value === "smith") {
    const reflections = plot.curves.filter(({ to, source }) => to === source);
    if (!reflections.length) return html`<p class="faint nothing">The Smith chart shows reflections: choose S11, S22, …</p>`;
    return html`<${Smith} over=${over} unit=${unit} resistance=${plot.resistance} label=${`Smith chart. ${spoken(plot)}`}
      curves=${reflections.map((curve) => ({ ...curve, label: title(curve) }))} />`;
  }
  const phase = view.value === "phase";
  const curves = plot.curves.map((curve) => phase
    ? { label: title(curve), values: degrees(curve) } : { label: `|${title(curve)}|`, values: decibels(curve) });
  return html`<${Chart} over=${over} curves=${curves} key=${view.value} fresh=${plot}
    unit=${unit} across=${`frequency in ${unit}`} up=${phase ? "phase in degrees" : "magnitude in dB"} label=${spoken(plot)}
    at=${frequency} ramp=${true} told=${phase ? angle : level} points=${plot.frequencies.length < 3} />`;
}

/** The smallest value of each curve: for reflections, where the antenna matches. */
function Summary({ plot }) {
  return html`<table class="facts-table"><caption>
      ${[plot.path, count(plot.ports, "port"), `${plot.resistance} Ω`, `${grouped(plot.frequencies.length)} ${plot.frequencies.length === 1 ? "frequency" : "frequencies"}`].join(" · ")}</caption>
    <thead><tr><th scope="col">parameter</th><th scope="col">smallest</th><th scope="col">largest</th></tr></thead>
    <tbody>${plot.curves.map((curve) => {
      const [low, high] = extremes(plot, curve);
      return html`<tr key=${title(curve)}><th scope="row">${title(curve)}</th><td>${low}</td><td>${high}</td></tr>`;
    })}</tbody></table>`;
}

/** |S| in dB; null where there is nothing at all. */
export function decibels({ real, imag }) {
  return real.map((one, i) => {
    const size = Math.hypot(one, imag[i]);
    return size > 0 ? 20 * Math.log10(size) : null;
  });
}

/** The angle of S in degrees, from -180 to 180; null where there is nothing at all. */
function degrees({ real, imag }) {
  return real.map((one, i) => (one || imag[i] ? (180 / Math.PI) * Math.atan2(imag[i], one) : null));
}

function extremes(plot, curve) {
  const values = decibels(curve);
  const [unit, scale] = frequencyUnit(plot.frequencies.at(-1));
  const at = (pick) => {
    let best = -1;
    values.forEach((one, i) => one !== null && (best < 0 || pick(one, values[best])) && (best = i));
    return best < 0 ? "–" : `${level(values[best])} at ${frequency(plot.frequencies[best] / scale)} ${unit}`;
  };
  return [at((a, b) => a < b), at((a, b) => a > b)];
}

function spoken(plot) {
  const said = plot.curves.map((curve) => `${title(curve)} from ${extremes(plot, curve).join(" to ")}`);
  return `Plot of magnitudes over frequency: ${said.join("; ")}`;
}

function title({ to, source }) {
  return to > 9 || source > 9 ? `S${to},${source}` : `S${to}${source}`;
}

function pairs(ports) {
  const all = Array.from({ length: ports }, (_, i) => i + 1);
  return all.flatMap((to) => all.map((source) => `${to}${source}`));
}
