// One scattering parameter of all of an array's tasks, in one plot.
import { ask, keyOf, ofJob } from "./api.js";
import { Chart } from "./chart.js";
import { html, useState } from "./html.js";
import { PAGE, Pager } from "./pager.js";
import { decibels } from "./plot.js";
import { useReading } from "./reading.js";
import { count, differing, frequency, frequencyUnit, level, parameters, sentence } from "./words.js";

const SHOWN = 5; // troubles told one by one

export function Overlay({ number, fresh }) {
  const [wanted, want] = useState({ s: "11", file: "", offset: 0 });
  const what = JSON.stringify([number, wanted]);
  const { found, error, stale } = useReading((signal) => read(number, wanted, signal), what, [fresh]);
  const { tasks, total, s } = found ?? {};
  const choose = (key) => (event) => want({ ...wanted, [key]: event.target.value.trim() });
  const told = error && html`<p class="trouble" role="alert">${sentence(error.message)}</p>`;
  if (!tasks) return told || html`<p class="faint">reading…</p>`;
  return html`<div class=${stale ? "plot stale" : "plot"} aria-busy=${stale}>
    <div class="pickers"><label class="field">Parameter, such as 21 <input class="short" value=${wanted.s}
        onChange=${choose("s")} /></label>
      <label class="field">File <input value=${wanted.file} placeholder="as each task names it"
        onChange=${choose("file")} /></label></div>
    ${told}
    <${Curves} name=${`S${s}`} tasks=${tasks.filter((task) => !task.trouble)} />
    <${Missing} tasks=${tasks.filter((task) => task.trouble)} />
    <${Pager} offset=${wanted.offset} total=${total} noun="tasks" turn=${(offset) => want({ ...wanted, offset })} /></div>`;
}

async function read(number, { s, file, offset }, signal) {
  const query = new URLSearchParams({ s, file, offset, limit: PAGE });
  const response = await ask(`${ofJob(keyOf({ number }), "touchstone")}?${query}`, { signal });
  return { s, tasks: await response.json(), total: Number(response.headers.get("X-Total-Count")) };
}

function Curves({ name, tasks }) {
  if (!tasks.length) return null;
  const places = [...new Set(tasks.flatMap((task) => task.frequencies))].sort((a, b) => a - b);
  const at = new Map(places.map((place, index) => [place, index]));
  const [unit, scale] = frequencyUnit(places.at(-1));
  const labels = differing(tasks.map((task) => task.parameters));
  const curves = tasks.map((task, index) => {
    const values = places.map(() => null);
    decibels(task).forEach((one, index) => (values[at.get(task.frequencies[index])] = one));
    return { label: parameters(labels[index]) || `task ${task.task}`, values };
  });
  return html`<${Chart} over=${places.map((one) => one / scale)} curves=${curves} fresh=${tasks} ramp=${true}
    unit=${unit} across=${`frequency in ${unit}`} up=${`|${name}| in dB`} points=${places.length < 3}
    at=${frequency} told=${level} label=${`Plot of |${name}| of ${count(tasks.length, "task")} over frequency: ${range(curves)}`} />`;
}

/** From the smallest of all values to the largest. */
function range(curves) {
  const all = curves.flatMap(({ values }) => values.filter((one) => one !== null)).sort((a, b) => a - b);
  return all.length ? `${level(all[0])} to ${level(all.at(-1))}` : "nothing";
}

/** Those that have no curve, and why. */
function Missing({ tasks }) {
  if (!tasks.length) return null;
  return html`<details><summary>${count(tasks.length, "task")} without a curve</summary>
    <ul class="evidence">${tasks.slice(0, SHOWN).map((task) => html`<li key=${task.task}>Task ${task.task}: ${task.trouble}</li>`)}
      ${tasks.length > SHOWN && html`<li>and ${tasks.length - SHOWN} more</li>`}</ul></details>`;
}
