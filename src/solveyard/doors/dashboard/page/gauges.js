// How busy the machines are, from the samples that their agents send; batch systems, and licences.
import { html, useRef } from "./html.js";
import * as jobs from "./jobs.js";
import { bytes, grouped, moment } from "./words.js";

const KEPT = 60; // samples of the little curve
const MIB = 1 << 20;
const PARTITIONS = 4; // of a batch system that have a gauge: its default first, then the largest

export function Gauges() {
  const { machines = {}, clusters = [], licences = {} } = jobs.status.value ?? {};
  return html`<section class="machines" aria-label="Machines">
    ${Object.entries(machines).map(([name, machine]) => html`<${Machine} key=${name} name=${name} machine=${machine} />`)}
    ${clusters.map((cluster) => html`<${Cluster} key=${cluster.name} cluster=${cluster} />`)}
    ${Object.keys(licences).length > 0 && html`<${Licences} licences=${licences} />`}
  </section>`;
}

/** What its batch system told last, and how many of our jobs it has. */
function Cluster({ cluster }) {
  const { name, answers, trouble, partitions } = cluster;
  const ours = Object.entries(cluster.jobs).filter(([, number]) => number > 0);
  const most = [...partitions].filter(({ cores_total: cores }) => cores > 0)
    .sort((a, b) => b.default - a.default || b.cores_total - a.cores_total).slice(0, PARTITIONS);
  return html`<div class="machine">
    <div class="machine-name"><span class="faint">cluster</span> <strong>${name}</strong>
      ${!answers && html` <span class="badge failed" title=${trouble}>doesn't answer</span>`}
      <div class="faint small">${ours.map(([state, number]) => `${grouped(number)} ${state}`).join(", ") || "no jobs of ours"}</div></div>
    ${most.map((one) => html`<${Gauge} key=${one.name} name=${`${one.name}${one.up ? "" : " (down)"}`} value=${one.cores_used ?? 0}
      most=${one.cores_total} text=${`${grouped(one.cores_used ?? 0)} of ${grouped(one.cores_total)} cores in use`} />`)}
  </div>`;
}

function Licences({ licences }) {
  return html`<div class="machine"><div class="machine-name"><strong>Licences</strong></div>
    ${Object.entries(licences).map(([name, feature]) => html`<${Seats} key=${name} name=${name} feature=${feature} />`)}</div>`;
}

/** Of one feature. `issued` and `others`: what the licence server tells, null where none is asked. */
function Seats({ name, feature }) {
  const { seats, ours, others, issued, kept, stale_since: stale } = feature;
  const [most, used] = [issued ?? seats, ours + (others ?? 0)];
  const words = [
    `${grouped(used)} of ${grouped(most)} in use`,
    others > 0 && ours > 0 && `${grouped(ours)} by jobs here`,
    kept > 0 && `${grouped(kept)} kept back`,
    stale && `as of ${moment(stale)}`,
  ];
  return html`<${Gauge} name=${name} value=${used} most=${most} text=${words.filter(Boolean).join(", ")} />`;
}

function Machine({ name, machine }) {
  const past = useRef([]);
  const sample = machine.sample ?? {};
  const history = past.current;
  if (sample.at && history.at(-1)?.at !== sample.at) {
    history.push(sample);
    if (history.length > KEPT) history.shift();
  }
  const memory = sample.memory_total - sample.memory_free; // MiB in use
  const inUse = Math.max(0, machine.cores - machine.free_cores);
  return html`<div class="machine">
    <div class="machine-name"><span class="faint">machine</span> <strong>${name}</strong>
      ${!machine.connected && html` <span class="badge failed">not connected</span>`}</div>
    <${Gauge} name="Cores" value=${inUse} most=${machine.cores} text=${`${inUse} of ${machine.cores} in use`} />
    ${sample.cpu != null && html`<${Gauge} name="CPU" value=${sample.cpu} most=${100}
      text=${`${Math.round(sample.cpu)} %`} curve=${history.map((one) => one.cpu)} />`}
    ${sample.memory_total > 0 && html`<${Gauge} name="Memory" value=${memory}
      most=${sample.memory_total} text=${`${bytes(memory * MIB)} of ${bytes(sample.memory_total * MIB)}`} />`}
    ${sample.disk_total > 0 && html`<${Gauge} name="Disk" value=${sample.disk_total - sample.disk_free}
      most=${sample.disk_total} text=${`${bytes(sample.disk_free * MIB)} free`} />`}
  </div>`;
}

function Gauge({ name, value, most, text, curve }) {
  const share = most > 0 ? Math.min(1, Math.max(0, value / most)) : 0;
  const scarce = name === "Memory" || name === "Disk"; // busy cores are what one wants
  const level = scarce && share > 0.9 ? "high" : "";
  return html`<div class=${`gauge ${level}`} role="meter" aria-label=${name} aria-valuemin="0"
    aria-valuemax=${most} aria-valuenow=${value} aria-valuetext=${text}>
    <div class="gauge-text"><span class="faint">${name}</span><span>${text}</span></div>
    ${curve?.length > 4
      ? html`<svg class="curve" viewBox=${`0 0 ${curve.length - 1} 20`} preserveAspectRatio="none" aria-hidden="true">
          <path class="area" d=${area(curve)} /><path class="line" d=${line(curve)} /></svg>`
      : html`<div class="bar" aria-hidden="true"><div style=${{ width: `${100 * share}%` }}></div></div>`}
  </div>`;
}

function line(values) {
  return values.map((one, i) => `${i ? "L" : "M"}${i} ${19 - one * 0.18}`).join(" ");
}

function area(values) {
  return `${line(values)} L${values.length - 1} 20 L0 20 Z`;
}
