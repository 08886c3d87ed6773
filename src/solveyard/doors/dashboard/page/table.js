// The table of jobs. Only the rows on the screen are in the document, however many there are.
import { ACTIONS, actOnAll } from "./actions.js";
import { Badge, called } from "./badge.js";
import { waiting, watch } from "./feed.js";
import { batch, effect, html, signal, useEffect, useRef } from "./html.js";
import * as jobs from "./jobs.js";
import { Progress } from "./tasks.js";
import { brief, count, duration, grouped, moment, person, sentence, WAITING, waits } from "./words.js";

const BEYOND = 8; // rows kept above and below the screen, so that scrolling shows no gaps
const COLUMNS = ["State", "Job", "Owner", "Tasks", "Solver", "Machine", "Submitted", "Time", "Why"];

const first = signal(0); // index of the first row on the screen
const room = signal(20); // rows that fit on the screen
let pane = null; // the element that scrolls
let settled = null; // timer: the rows on the screen stay for a moment
let height = 40; // px of a row, as the style sheet has it

watch(() => {
  const shown = jobs.shown.peek();
  const numbers = [...shown.slice(first.peek(), first.peek() + room.peek() + 1)];
  const opened = jobs.opened.peek();
  return opened === null ? numbers : [opened, ...numbers];
});

/** Move the keyboard's row by so many, and bring it on the screen. */
export function move(by) {
  const shown = jobs.shown.peek();
  if (!shown.length) return;
  const at = shown.indexOf(jobs.current.peek());
  const next = at < 0 ? first.peek() : Math.min(shown.length - 1, Math.max(0, at + by));
  go(shown[next]);
}

/** Put the keyboard at a row. */
export function go(number) {
  jobs.current.value = number;
  show(number);
  requestAnimationFrame(() => {
    const busy = document.activeElement?.closest("input, select, dialog"); // somebody went there since
    if (!busy) pane?.querySelector(`#row-${number}`)?.focus({ preventScroll: true });
  });
}

/** Bring a row on the screen. */
export function show(number) {
  const top = jobs.shown.peek().indexOf(number) * height;
  if (pane && top >= 0) {
    const heading = pane.querySelector("thead").offsetHeight; // 0 on a telephone
    const space = pane.clientHeight - heading;
    if (top < pane.scrollTop) pane.scrollTop = top;
    else if (top + height > pane.scrollTop + space) pane.scrollTop = top + height - space;
    measure();
  }
}

export function Table() {
  const element = useRef(null);
  useEffect(() => {
    pane = element.current;
    const watcher = new ResizeObserver(measure);
    watcher.observe(pane);
    const stop = effect(() => (jobs.state.value, jobs.text.value, jobs.mine.value, (pane.scrollTop = 0), measure()));
    return () => (watcher.disconnect(), stop(), (pane = null));
  }, []);
  const loaded = jobs.loaded.value;
  useEffect(() => {
    if (loaded && jobs.opened.peek() !== null) show(jobs.opened.peek()); // the address names it
  }, [loaded]);
  const shown = jobs.shown.value;
  const from = Math.max(0, Math.min(first.value, shown.length - room.value) - BEYOND);
  const to = Math.min(shown.length, Math.max(0, first.value) + room.value + BEYOND);
  const reachable = shown.includes(jobs.current.value) ? jobs.current.value : shown[0];
  return html`
    <div class="pane" ref=${element} onScroll=${measure}>
      <table role="grid" aria-multiselectable="true" aria-label="Jobs, newest first" aria-rowcount=${shown.length + 1}>
        <thead>
          <tr role="row" aria-rowindex="1">
            ${columns().map((name) => html`<th scope="col" class=${`col-${name.toLowerCase()}`}>${name}</th>`)}
          </tr>
        </thead>
        <tbody role="rowgroup">
          <${Space} rows=${from} />
          ${Array.from(shown.slice(from, to), (number, index) => html`
            <${Row} key=${number} number=${number} index=${from + index}
              reachable=${number === reachable} />`)}
          <${Space} rows=${shown.length - to} />
        </tbody>
      </table>
    </div>
    <${Footer} />`;
}

/** Whose a job is stands there where more than one has some. */
function columns() {
  return COLUMNS.filter((name) => name !== "Owner" || jobs.owners.value.size > 1);
}

function Space({ rows }) {
  return rows > 0 && html`<tr class="space" role="presentation" style=${{ height: `${rows * height}px` }}></tr>`;
}

function Row({ number, index, reachable }) {
  const row = jobs.row(number);
  if (!row) return null;
  const opened = jobs.opened.value === number;
  const selected = jobs.selected.value.has(number);
  const now = jobs.today.value && jobs.clock.peek(); // to the day
  const click = (event) => (event.ctrlKey || event.metaKey ? jobs.select(number) : open(number));
  return html`
    <tr id=${`row-${number}`} role="row" class=${`row ${opened ? "chosen" : ""} ${selected ? "selected" : ""}`} aria-rowindex=${index + 2}
      aria-selected=${selected} aria-current=${opened} tabindex=${reachable ? 0 : -1}
      onFocus=${() => (jobs.current.value = number)} onClick=${click}>
      <td role="gridcell" class="col-state"><${Badge} state=${row.state} row=${row} /></td>
      <td role="gridcell" class="col-job" title=${[row.id, ...row.tags].join(" · ")}><div><span class="called"><span class="name" dir="auto">${row.id}</span
        >${row.id !== String(number) && html`<span class="faint">#${number}</span>`}</span>
        ${row.tags.map((tag) => html`<span class="tag" dir="auto" key=${tag}>${tag}</span>`)}</div></td>
      ${jobs.owners.value.size > 1 && html`<td role="gridcell" class="col-owner" title=${row.owner}><bdi>${person(row.owner)}</bdi></td>`}
      <td role="gridcell" class="col-tasks">${row.tasks && html`<${Progress} tasks=${row.tasks} />`}</td>
      <td role="gridcell" class="col-solver" title=${row.solver}>${row.solver}</td>
      <td role="gridcell" class="col-machine" title=${row.machine}>${row.machine || "–"}</td>
      <td role="gridcell" class="col-submitted" title=${moment(row.submitted_at, 0)}>${brief(row.submitted_at, now)}</td>
      <td role="gridcell" class="col-time"><${RunTime} row=${row} /></td>
      <td role="gridcell" class="col-why" title=${why(row, now) || row.why}>${why(row, now)}</td>
    </tr>`;
}

function RunTime({ row }) {
  if (row.started_at == null) return "–";
  return duration((row.ended_at ?? jobs.clock.value) - row.started_at);
}

function Footer() {
  const { chosen, hidden } = jobs.selectedRows();
  const selected = chosen.length + hidden.length;
  if (selected) {
    return html`<div class="foot" role="group" aria-label="Selected jobs"><span
        title=${hidden.length ? "Only what is shown is acted on" : ""}><strong>${grouped(selected)} selected</strong>
        ${hidden.length > 0 && `, ${grouped(hidden.length)} not shown`}</span>
      <span class="buttons">${ACTIONS.filter((action) => chosen.some(action.fits)).map((action) => html`
        <button key=${action.name} class=${action.danger ? "danger" : ""}
          onClick=${() => actOnAll(action, chosen)}>${action.label}</button>`)}
        <button onClick=${() => (jobs.selected.value = new Set())}>Select none</button></span></div>`;
  }
  const shown = jobs.shown.value.length;
  const known = jobs.known.value;
  const parts = [shown === known ? count(shown, "job") : `${grouped(shown)} of ${count(known, "job")}`];
  if (!jobs.loaded.value) parts.push("reading…");
  else if (jobs.absent.value.length) {
    const absent = jobs.absent.value.map(([name, number]) => `${grouped(number)} ${called(name)}`);
    parts.push(`not in this list: ${absent.join(", ")}`);
  }
  return html`<p class="foot faint">${parts.join(" · ")}</p>`;
}

export function open(number) {
  location.hash = `#/jobs/${number}`;
}

function why(row, now) {
  if (row.state === "completed") return "";
  return sentence(WAITING.has(row.state) ? waits(row.why, now) : row.why);
}

function measure() {
  if (!pane) return;
  height = pane.querySelector("tr.row")?.offsetHeight || height;
  batch(() => {
    first.value = Math.floor(pane.scrollTop / height);
    room.value = Math.ceil(pane.clientHeight / height);
  });
  clearTimeout(settled);
  settled = setTimeout(() => waiting().catch(() => {}), 250); // the next beat asks again
}
