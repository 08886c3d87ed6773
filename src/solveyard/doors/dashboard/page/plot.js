// Scattering parameters of a job's Touchstone files over frequency, in dB.
import { get, ofJob } from "./api.js";
import { html, signal, useEffect, useRef, useState } from "./html.js";
import { count, frequencyUnit } from "./words.js";

const CHIPS = 4; // ports up to which all parameters are offered as buttons
const HEIGHT = 270; // px, without the legend
const CURVES = 8; // curves with colours of their own
export const TOUCHSTONE = /\.s([1-9]\d{0,2})p$/i;
export const chosenFile = signal(null); // {number, path}, from the list of files

export function Plots({ number, id, files, fresh }) {
  const results = (files ?? []).filter((file) => TOUCHSTONE.test(file.path));
  const wanted = chosenFile.value?.number === number ? chosenFile.value.path : null;
  const path = results.some((file) => file.path === wanted) ? wanted : results[0]?.path;
  if (!files) return html`<p class="faint">reading…</p>`;
  if (!path) return html`<p class="faint nothing">No Touchstone files (.s1p, .s2p, …) in its folder yet.</p>`;
  const changed = results.find((file) => file.path === path).modified;
  return html`
    ${results.length > 1 && html`<label class="field">File <select value=${path}
      onChange=${(event) => (chosenFile.value = { number, path: event.target.value })}>
      ${results.map((file) => html`<option key=${file.path}>${file.path}</option>`)}</select></label>`}
    <${Network} key=${`${id} ${path}`} id=${id} path=${path} fresh=${`${fresh} ${changed}`} />`;
}

function Network({ id, path, fresh }) {
  const ports = Number(TOUCHSTONE.exec(path)[1]);
  const [chosen, choose] = useState(["11"]);
  const [{ plot, trouble }, settle] = useState({});
  useEffect(() => {
    let here = true;
    get(`${ofJob(id, "touchstone", path)}?s=${encodeURIComponent(chosen.join(" "))}`).then(
      (plot) => here && settle({ plot }),
      (error) => here && settle({ trouble: error.message }),
    );
    return () => (here = false);
  }, [chosen.join(" "), fresh]);
  const toggle = (name) => {
    const next = chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name];
    if (next.length && next.length <= CURVES) choose(next);
  };
  return html`<div class="plot">
    ${ports > 1 && ports <= CHIPS && html`<div class="chips" role="group" aria-label="Parameters">
      ${pairs(ports).map((name) => html`<button key=${name} class="chip" aria-pressed=${chosen.includes(name)}
        onClick=${() => toggle(name)}>S${name}</button>`)}</div>`}
    ${ports > CHIPS && html`<label class="field">Parameters, such as 1,1 2,1 <input value=${chosen.join(" ")}
      onChange=${(event) => choose(event.target.value.trim().split(/\s+/))} /></label>`}
    ${trouble && html`<p class="trouble" role="alert">${trouble}</p>`}
    ${plot && html`<${Curves} plot=${plot} /><${Summary} plot=${plot} />`}
  </div>`;
}

function Curves({ plot }) {
  const place = useRef(null);
  const [uPlot, have] = useState(null);
  useEffect(() => {
    import("../vendor/uplot.js").then((library) => have(() => library.default)); // no page waits for it
  }, []);
  useEffect(() => {
    if (!uPlot) return undefined;
    const draw = () => {
      drawn?.destroy();
      drawn = new uPlot(options(plot, place.current), columns(plot), place.current);
    };
    let drawn = null;
    draw();
    const sized = new ResizeObserver(([entry]) => drawn.setSize({ width: entry.contentRect.width, height: HEIGHT }));
    sized.observe(place.current);
    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    return () => {
      sized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", draw);
      drawn.destroy();
    };
  }, [plot, uPlot]);
  return html`<div class="canvas" ref=${place} role="img" aria-label=${spoken(plot)}></div>`;
}

/** The smallest value of each curve: for reflections, where the antenna matches. */
function Summary({ plot }) {
  return html`<table class="facts-table"><caption>
      ${[plot.path, count(plot.ports, "port"), `${plot.resistance} Ω`, `${plot.frequencies.length} frequencies`].join(" · ")}</caption>
    <thead><tr><th scope="col">parameter</th><th scope="col">smallest</th><th scope="col">largest</th></tr></thead>
    <tbody>${plot.curves.map((curve) => {
      const [low, high] = extremes(plot, curve);
      return html`<tr key=${title(curve)}><th scope="row">${title(curve)}</th><td>${low}</td><td>${high}</td></tr>`;
    })}</tbody></table>`;
}

function options(plot, place) {
  const colour = (name) => {
    place.style.color = `var(${name})`; // a canvas knows no variables: have this one worked out
    const found = getComputedStyle(place).color;
    place.style.color = "";
    return found;
  };
  const [unit] = frequencyUnit(plot.frequencies.at(-1));
  const axis = {
    stroke: colour("--quiet"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { stroke: colour("--line"), width: 1 },
    font: "12px system-ui, sans-serif",
    labelFont: "12px system-ui, sans-serif",
  };
  return {
    width: place.clientWidth,
    height: HEIGHT,
    scales: { x: { time: false } },
    axes: [
      { ...axis, label: `frequency in ${unit}` },
      { ...axis, label: "magnitude in dB", size: 56 },
    ],
    series: [
      { label: unit, value: (_, value) => (value == null ? "–" : round(value)) },
      ...plot.curves.map((curve, index) => ({
        label: `|${title(curve)}|`,
        stroke: colour(`--curve-${index % CURVES}`),
        width: 2,
        points: { show: plot.frequencies.length < 3 },
        value: (_, value) => (value == null ? "–" : `${value.toFixed(2)} dB`),
      })),
    ],
    cursor: { points: { size: 7 } },
    padding: [12, 12, 0, 0],
  };
}

function columns(plot) {
  const [, scale] = frequencyUnit(plot.frequencies.at(-1));
  return [plot.frequencies.map((one) => one / scale), ...plot.curves.map(decibels)];
}

/** |S| in dB; null where there is nothing at all. */
function decibels({ real, imag }) {
  return real.map((one, i) => {
    const size = Math.hypot(one, imag[i]);
    return size > 0 ? 20 * Math.log10(size) : null;
  });
}

function extremes(plot, curve) {
  const values = decibels(curve);
  const [unit, scale] = frequencyUnit(plot.frequencies.at(-1));
  const at = (pick) => {
    let best = -1;
    values.forEach((value, i) => value !== null && (best < 0 || pick(value, values[best])) && (best = i));
    return best < 0 ? "–" : `${values[best].toFixed(2)} dB at ${round(plot.frequencies[best] / scale)} ${unit}`;
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

function round(value) {
  return Number(value.toPrecision(6)).toString();
}
