// An array's parameters and what was measured: a table, and one quantity over another.
import { get, keyOf, ofJob } from "./api.js";
import { Chart, CURVES } from "./chart.js";
import { html, useState } from "./html.js";
import { PAGE, Pager } from "./pager.js";
import { useReading } from "./reading.js";
import { differing, parameters, sentence, short, value } from "./words.js";

const MOST = 200_000; // rows that are looked through for a plot

export function Results({ number, id, fresh }) {
  const [offset, turn] = useState(0);
  const place = ofJob(keyOf({ number }), "results");
  const { found: rows, error } = useReading((signal) => get(`${place}?format=json`, { signal }), place, [fresh]);
  const told = error && html`<p class="trouble" role="alert">${sentence(error.message)}</p>`;
  if (!rows) return told || html`<p class="faint">reading…</p>`;
  const names = Object.keys(rows[0] ?? {}).filter((name) => name !== "id");
  const given = names.slice(1, names.indexOf("state"));
  return html`${told}
    <${Plot} rows=${rows} names=${names} />
    <div class="scroll" tabindex="0" role="region" aria-label="Results">
      <table class="facts-table results"><caption class="unseen">Parameters and measured values</caption>
        <thead><tr>${names.map((name) => html`<th scope="col" key=${name}>${name}</th>`)}</tr></thead>
        <tbody>${rows.slice(offset, offset + PAGE).map((row) => html`<tr key=${row.index}>
          ${names.map((name) => name === "index"
            ? html`<th scope="row" key=${name}><a href=${`#/jobs/${number}/${row.index}`}
                aria-label=${`Task ${row.index}`}>${row.index}</a></th>`
            : html`<td key=${name} title=${row[name]}>${(given.includes(name) ? value : short)(row[name])}</td>`)}</tr>`)}</tbody></table></div>
    <${Pager} offset=${offset} total=${rows.length} noun="results" turn=${turn} />
    <p class="foot"><a class="button" download=${`${id}.csv`} href=${`${place}?format=csv`}>Download CSV</a></p>`;
}

/** One measured value over one parameter; a curve for each combination of the others. */
function Plot({ rows, names }) {
  const [{ x, y }, choose] = useState({});
  const numeric = (name) => rows.some((row) => typeof row[name] === "number");
  const given = names.slice(1, names.indexOf("state"));
  const across = given.filter(numeric);
  const up = names.slice(names.indexOf("run_time") + 1).filter(numeric);
  if (!across.length || !up.length || rows.length > MOST) return null;
  const [over, of] = [across.includes(x) ? x : across[0], up.includes(y) ? y : up[0]];
  const shown = drawn(rows, over, of, given.filter((name) => name !== over));
  const pick = (label, chosen, all, key) => html`<label class="field">${label} <select value=${chosen}
    onChange=${(event) => choose({ x: over, y: of, [key]: event.target.value })}>
    ${all.map((name) => html`<option key=${name}>${name}</option>`)}</select></label>`;
  return html`<div class="pickers">${pick("Plot", of, up, "y")}${pick("over", over, across, "x")}</div>
    <${Chart} ...${shown} across=${over} up=${of} points=${true} fresh=${`${over} ${of} ${shown.key}`}
      label=${`Plot of ${of} over ${over}: ${shown.count} points`} />`;
}

function drawn(rows, over, of, others) {
  const points = rows.filter((row) => typeof row[over] === "number" && typeof row[of] === "number");
  points.sort((a, b) => a[over] - b[over]);
  const told = { count: points.length, key: JSON.stringify(points.map((row) => row[of])) };
  const groups = Map.groupBy(points, (row) => JSON.stringify(others.map((name) => row[name])));
  if (groups.size > CURVES || new Set(points.map((row) => row[over])).size < 2) {
    const values = points.map((row) => row[of]);
    return { ...told, over: points.map((row) => row[over]), curves: [{ label: of, values }], lines: false };
  }
  const places = [...new Set(points.map((row) => row[over]))];
  const at = new Map(places.map((place, index) => [place, index]));
  const given = [...groups.values()].map(([row]) => Object.fromEntries(others.map((name) => [name, row[name]])));
  const labels = differing(given);
  const curves = [...groups.values()].map((some, index) => {
    const values = places.map(() => null);
    for (const row of some) values[at.get(row[over])] = row[of];
    return { label: parameters(labels[index]) || of, values };
  });
  return { ...told, over: places, curves };
}
