// One job, array or task: how it is in words, its parts, and what can be done to it.
import { act, ACTIONS } from "./actions.js";
import { get, keyOf, ofJob, Refused } from "./api.js";
import { Badge } from "./badge.js";
import { useCalm } from "./calm.js";
import { Convergence } from "./convergence.js";
import { connection } from "./feed.js";
import { Files, folder } from "./files.js";
import { html, signal, useEffect, useLayoutEffect, useRef } from "./html.js";
import * as jobs from "./jobs.js";
import { later } from "./later.js";
import { Log } from "./log.js";
import { useReading } from "./reading.js";
import { Progress, Tasks } from "./tasks.js";
import {
  bytes, count, duration, FINAL, grouped, moment, parameters, seconds, sentence, short, WAITING, waits,
} from "./words.js";

const GLANCE = 5; // s between two looks at a job that has not ended
const PAUSE = 500; // ms from one look to the next, at least: an array may change all the time
const TABLE_PAUSE = 3000; // ms, where its whole table is read
const WIDE = new Set(["Folder", "Note", "Parameters", "Measured"]);
const Plots = later(() => import("./plot.js"), "Plots");
const Overlay = later(() => import("./overlay.js"), "Overlay");
const Results = later(() => import("./results.js"), "Results");
export const TABS = { overview: "Overview", log: "Log", plots: "Plots", files: "Files" };
export const ARRAY_TABS = { tasks: "Tasks", results: "Results", plots: "Plots", overview: "Overview" };
const tab = signal("overview"); // of a job or a task
const arrayTab = signal("tasks");

/** Show this part of whatever is opened, where it has one. */
export function look(name) {
  if (name in TABS) tab.value = name;
  if (name in ARRAY_TABS) arrayTab.value = name;
}

/** From a task to its array, from there to the list. */
export function close() {
  location.hash = jobs.task.peek() === null ? "" : `#/jobs/${jobs.opened.peek()}`;
}

export function Detail({ number, task }) {
  const whole = jobs.row(number);
  const row = task === null ? whole : undefined;
  const key = keyOf({ number, task });
  const known = jobs.loaded.value || whole !== undefined;
  jobs.today.value; // the times of another day are told with it
  const lost = connection.value.state === "lost";
  const changed = useCalm(whole, PAUSE);
  const state = row?.state ?? jobs.looked.value?.state;
  const beat = state && !FINAL.has(state) ? Math.floor(jobs.clock.value / GLANCE) : 0;
  const read = async (signal) => {
    const found = await get(ofJob(key), { signal });
    if (!signal.aborted) jobs.looked.value = found; // before it is shown: keys act on what is seen
    return found;
  };
  const { found: record, error } = useReading(read, known ? key : null, [changed, beat, lost]);
  const job = record && row && row.state !== record.state ? asItsRow(record, row) : record;
  const hasFiles = job && !job.tasks;
  const { found: files } = useReading((signal) => folder(key, signal), hasFiles ? key : null, [record]);
  const trouble = error instanceof Refused ? error.message : "";
  useEffect(() => () => (jobs.looked.value = null), []);

  if (trouble && (!job || !whole)) {
    return html`<aside class="detail" aria-label="Job"><${Close} />
      <p class="nothing">${sentence(trouble)}</p></aside>`;
  }
  if (!job && lost) return html`<${Known} number=${number} row=${row} />`;
  if (!job) return html`<aside class="detail" aria-label="Job" aria-busy="true"><${Close} /></aside>`;
  const now = row ?? job;
  const tasks = now.tasks;
  const heard = jobs.advanced.value;
  const newer = heard?.job === number && heard.id === job.id && heard.attempt >= (job.attempts.at(-1)?.number ?? 0);
  const fresher = newer ? heard.progress : job.progress;
  const told = now.state === "running" ? fresher : null;
  const [tabs, chosen] = tasks ? [ARRAY_TABS, arrayTab] : [TABS, tab];
  return html`<aside class="detail" aria-label=${`Job ${job.id}`}>
    <header>
      <div class="title"><h2 dir="auto">${job.id}</h2>
        ${job.id !== String(number) && html`<span class="faint">#${number}</span>`}
        <${Badge} state=${now.state} row=${now} /><${Close} /></div>
      ${task !== null && html`<p class="small">Task of <a href=${`#/jobs/${number}`}><bdi>${whole?.id ?? number}</bdi></a
        >: ${parameters(job.parameters) || `index ${task}`}</p>`}
      ${tasks && html`<${Progress} tasks=${tasks} />`}
      <${Verdict} job=${job} />
      <div class="buttons">${ACTIONS.filter((action) => action.fits(now)).map((action) => html`
        <button key=${action.name} class=${action.danger ? "danger" : ""}
          onClick=${() => act(action, job)}>${action.label}</button>`)}</div>
    </header>
    <${Tabs} tabs=${tabs} chosen=${chosen} numbers=${numbers(files, tasks)} />
    <div class="tab-body" role="tabpanel" id="tab-body" tabindex="0" aria-labelledby=${`tab-${chosen.value}`}>
      ${chosen.value === "overview" && html`<${Evidence} job=${job} /><${Convergence} job=${job} told=${told} /><${Overview} job=${job} />`}
      ${chosen.value === "tasks" && html`<${Tasks} number=${number} counts=${tasks} fresh=${changed} />`}
      ${chosen.value === "results" && html`<${Measured} number=${number} id=${job.id} whole=${whole} />`}
      ${chosen.value === "log" && html`<${Log} job=${job} />`}
      ${chosen.value === "plots" && tasks && html`<${Curves} number=${number} whole=${whole} />`}
      ${chosen.value === "plots" && !tasks && html`<${Plots} of=${keyOf(job)} files=${files} fresh=${now.state} />`}
      ${chosen.value === "files" && html`<${Files} of=${keyOf(job)} files=${files} directory=${job.directory}
        plot=${() => (tab.value = "plots")} />`}
    </div></aside>`;
}

/** A record that is older than its row: nothing of it tells how the job is now. */
function asItsRow(record, row) {
  const none = { reason: null, exit_code: null, signal: null, run_time: null, ended_at: null, stale_since: null, evidence: [] };
  return { ...record, ...none, state: row.state, message: row.why, waiting: WAITING.has(row.state) ? row.why : null };
}

/** What its row says, while nobody answers. */
function Known({ number, row }) {
  const facts = row && [
    ["Solver", row.solver],
    ["Machine", row.machine],
    ["Submitted", moment(row.submitted_at)],
    ["Started", moment(row.started_at)],
    ["Ended", moment(row.ended_at)],
    ["Tags", row.tags.join(", ")],
  ].filter(([, value]) => value !== "" && value !== "–");
  return html`<aside class="detail" aria-label=${row ? `Job ${row.id}` : "Job"}>
    ${row ? html`<header>
      <div class="title"><h2 dir="auto">${row.id}</h2>
        ${row.id !== String(number) && html`<span class="faint">#${number}</span>`}
        <${Badge} state=${row.state} row=${row} /><${Close} /></div>
      ${row.tasks && html`<${Progress} tasks=${row.tasks} />`}
      ${row.why && html`<p class=${`verdict ${row.state}`}>${sentence(WAITING.has(row.state) ? waits(row.why) : row.why)}</p>`}
    </header><div class="tab-body"><${Facts} facts=${facts} /></div>` : html`<${Close} />`}
    <p class="faint nothing">The manager does not answer, so no more is known of it now.</p></aside>`;
}

function Facts({ facts }) {
  return html`<dl class="facts">${facts.map(([name, value, whole]) => html`<div key=${name}
      class=${WIDE.has(name) ? "wide" : ""}><dt>${name}</dt><dd title=${whole}>${value}</dd></div>`)}</dl>`;
}

function Measured({ number, id, whole }) {
  return html`<${Results} number=${number} id=${id} fresh=${useCalm(whole, TABLE_PAUSE)} />`;
}

function Curves({ number, whole }) {
  return html`<${Overlay} number=${number} fresh=${useCalm(whole, TABLE_PAUSE)} />`;
}

/** What the tabs count. */
function numbers(files, tasks) {
  return { plots: files?.own.length ?? 0, files: files?.total, tasks: tasks?.total };
}

function Close() {
  return html`<button class="plain close" aria-label="Close (Esc)" onClick=${close}>✕</button>`;
}

function Tabs({ tabs, chosen, numbers }) {
  const names = Object.keys(tabs);
  const bar = useRef(null);
  useLayoutEffect(() => {
    const panel = bar.current.parentElement; // what was scrolled to is not in the other part
    panel.scrollTop = Math.min(panel.scrollTop, bar.current.previousElementSibling.offsetHeight);
  }, [chosen.value]);
  const step = (event) => {
    if (event.key === "ArrowDown") document.querySelector("#tab-body tbody a")?.focus();
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    chosen.value = names[(names.indexOf(chosen.value) + by + names.length) % names.length];
    requestAnimationFrame(() => document.getElementById(`tab-${chosen.value}`)?.focus());
  };
  return html`<div class="tabs" ref=${bar} role="tablist" aria-label="About the job" onKeyDown=${step}>
    ${names.map((name) => html`<button key=${name} id=${`tab-${name}`} role="tab" aria-controls="tab-body"
      aria-selected=${chosen.value === name} tabindex=${chosen.value === name ? 0 : -1}
      onClick=${() => (chosen.value = name)}>${tabs[name]}
        ${numbers[name] > 0 && html` <span class="faint">${grouped(numbers[name])}</span>`}</button>`)}
  </div>`;
}

/** Why it waits, or how it ended, first of all. */
function Verdict({ job }) {
  const waiting = job.waiting && !FINAL.has(job.state);
  const who = job.tasks && job.state === "running" ? "its next task is " : "";
  const text = waiting ? who + waits(job.waiting) : job.message;
  return html`
    ${text && html`<p class=${`verdict ${job.state}`}>${sentence(text)}</p>`}
    ${job.stale_since && html`<p class="verdict failed">Its machine has not answered since
      ${" "}${moment(seconds(job.stale_since))}; this is the last that is known.</p>`}`;
}

function Evidence({ job }) {
  const evidence = FINAL.has(job.state) ? job.evidence : [];
  if (!evidence.length) return null;
  return html`<details class="known" open=${job.state === "failed"}><summary>How that is known</summary>
    <ul class="evidence">${evidence.map((line) => html`<li key=${line}>${line}</li>`)}</ul></details>`;
}

function Overview({ job }) {
  const newest = job.attempts.at(-1);
  const running = newest && newest.started_at && !newest.ended_at;
  const time = running ? jobs.clock.value - seconds(newest.started_at) : job.run_time;
  const facts = [
    ["Solver", job.solver],
    ["Owner", job.owner],
    ["Submitted", moment(seconds(job.submitted_at))],
    ["Started", moment(seconds(job.started_at))],
    ["Ended", moment(seconds(job.ended_at))],
    ["Run time", duration(time)],
    ["Cores", job.cores],
    ["Priority", job.priority],
    ["Reason", job.reason && (job.cause ? `${job.reason} (${job.cause})` : job.reason)],
    ["Exit code", job.exit_code],
    ["Signal", job.signal],
    ["Parameters", parameters(job.parameters)],
    ["Measured", parameters(job.values, short), parameters(job.values)],
    ["Tags", job.tags.join(", ")],
    ["Note", job.note],
    ["Folder", job.directory],
  ].filter(([, value]) => value !== null && value !== "" && value !== "–");
  return html`<${Facts} facts=${facts} />
    ${!job.tasks && html`<h3>Attempts</h3>`}
    ${job.attempts.length === 0
      ? !job.tasks && html`<p class="faint">None yet.</p>`
      : html`<ol class="attempts">${job.attempts.toReversed().map((one) => html`
          <${Attempt} key=${one.number} attempt=${one} told=${one === newest && FINAL.has(job.state)} />`)}</ol>`}`;
}

/** `told`: its evidence is on this page already. */
function Attempt({ attempt, told }) {
  const usage = [
    attempt.run_time !== null && duration(attempt.run_time),
    attempt.cpu !== null && `${duration(attempt.cpu)} of CPU`,
    attempt.peak_memory > 0 && `peak ${bytes(attempt.peak_memory * 1048576)}`,
  ].filter(Boolean);
  const end = attempt.withdrawn
    ? "taken back before it started"
    : attempt.message || attempt.reason || (attempt.started_at ? "running" : jobs.isCluster(attempt.machine) ? "submitted" : "starting");
  return html`<li><div><strong>${attempt.number}</strong> on ${attempt.machine}
      ${attempt.native_id && html` <span class="faint">as ${attempt.native_id}</span>`}
      <span class="faint"> · ${[moment(seconds(attempt.started_at)), ...usage].join(" · ")}</span></div>
    <div>${sentence(end)}</div>
    ${[...(told ? [] : attempt.evidence), ...attempt.notes].map((line) => html`
      <div class="faint small" key=${line}>${line}</div>`)}</li>`;
}
