// How far a solve is, and how it converges: told while it runs, and read from its log afterwards.
import { get, keyOf } from "./api.js";
import { Chart } from "./chart.js";
import { html, useEffect, useState } from "./html.js";
import { duration, FINAL, sentence, short } from "./words.js";

/** `told`: the newest progress of a running job. */
export function Convergence({ job, told }) {
  const ended = FINAL.has(job.state) && job.solver === "hfss" && !job.tasks;
  const [read, settle] = useState(null);
  useEffect(() => {
    if (!ended) return settle(null);
    let here = true;
    get(`api/jobs/${encodeURIComponent(keyOf(job))}/log`).then((log) => here && settle(curve(log)), () => {});
    return () => (here = false);
  }, [ended, keyOf(job), job.attempts.length]);
  const shown = ended ? read : told?.curve;
  const left = told?.remaining == null ? "" : `, about ${duration(told.remaining)} left`;
  return html`
    ${told?.text && html`<p class=${told.warning ? "advance warned" : "advance"}>${sentence(told.text + left)}</p>`}
    ${told?.fraction != null && html`<progress value=${told.fraction} aria-label="How far it is"></progress>`}
    ${shown?.points.length > 1 && shown.points.some(([, one]) => one > 0) && html`<${Curve} curve=${shown} />`}`;
}

function Curve({ curve }) {
  const steps = curve.points.map(([step]) => step);
  const lines = [{ label: curve.name, values: curve.points.map(([, one]) => (one > 0 ? one : null)) }];
  if (curve.target > 0) lines.push({ label: "target", values: steps.map(() => curve.target) });
  const last = curve.points.at(-1);
  const label = `Plot of ${curve.name} over ${curve.step}: ${short(last[1])} in ${curve.step} ${last[0]}`;
  return html`<div class="plot"><${Chart} over=${steps} curves=${lines} across=${curve.step} up=${curve.name}
    fresh=${JSON.stringify(curve)} points log label=${label} /></div>`;
}

/** The passes of a log that was read. */
function curve({ adaptive }) {
  const points = adaptive.map((one) => [one.pass_nr, one.delta_s]);
  return { name: "Max Mag. Delta S", step: "pass", points, target: null };
}
