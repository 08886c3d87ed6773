// An array's tasks: how many are in which state, and each of them.
import { ask, keyOf, ofJob } from "./api.js";
import { html, signal, useEffect } from "./html.js";
import { PAGE, Pager } from "./pager.js";
import { Badge, called } from "./badge.js";
import { useReading } from "./reading.js";
import { duration, ended, grouped, parameters, sentence, STATES } from "./words.js";

const BEGIN = { state: "", offset: 0 };
const seen = signal({ number: null, ...BEGIN }); // what of which array was looked at
let left = null; // the task that was opened from here

/** "4/6", and how many failed. */
export function Progress({ tasks }) {
  const done = ended(tasks);
  const share = (number) => ({ width: `${(100 * number) / tasks.total}%` });
  return html`<span class="progress"><span class="tally">${grouped(done)}/${grouped(tasks.total)}</span
    >${tasks.failed > 0 && html` <span class="failures failed"><span class="sign" aria-hidden="true">✗</span
      ><span class="unseen">, failed: </span>${grouped(tasks.failed)}</span>`}
    <span class="share" aria-hidden="true"><span class="completed" style=${share(tasks.completed)}></span
      ><span class="failed" style=${share(tasks.failed)}></span
      ><span class="cancelled" style=${share(tasks.cancelled)}></span></span></span>`;
}

export function Tasks({ number, counts, fresh }) {
  const here = seen.value.number === number ? seen.value : { number, ...BEGIN };
  const what = `${number} ${here.state} ${here.offset}`;
  const { found, error, stale } = useReading((signal) => read(number, here, signal), what, [fresh]);
  const { tasks, total } = found ?? {};
  useEffect(() => {
    if (!tasks || left === null) return;
    document.getElementById(`task-${left}`)?.focus();
    left = null;
  }, [tasks]);
  const turn = (offset) => (seen.value = { ...here, offset });
  const filter = (state) => (seen.value = { number, state: here.state === state ? "" : state, offset: 0 });
  const states = Object.entries(STATES).filter(([name]) => counts[name] > 0 || here.state === name);
  return html`
    <div class="chips" role="group" aria-label="Tasks by state">
      <button class="chip" aria-pressed=${here.state === ""} onClick=${() => filter("")}>
        <strong>${grouped(counts.total)}</strong> all</button>
      ${states.map(([name, { icon }]) => html`<button key=${name} class=${`chip ${name}`}
        aria-pressed=${here.state === name} onClick=${() => filter(name)}>
        <span class="sign" aria-hidden="true">${icon}</span><strong>${grouped(counts[name])}</strong> ${called(name)}</button>`)}
    </div>
    ${error && html`<p class="trouble" role="alert">${sentence(error.message)}</p>`}
    ${!tasks ? html`<p class="faint">reading…</p>` : html`
      <table class=${`facts-table tasks ${stale ? "stale" : ""}`} aria-busy=${stale} onKeyDown=${step}>
        <caption class="unseen">Tasks by index</caption>
        <thead><tr><th scope="col">task</th><th scope="col">state</th><th scope="col">parameters</th>
          <th scope="col">time</th></tr></thead>
        <tbody>${tasks.map((task) => html`<${Task} key=${task.task} number=${number} task=${task} />`)}</tbody></table>
      ${tasks.length === 0 && html`<p class="faint nothing">No task is ${here.state ? called(here.state) : "here"} now.</p>`}
      <${Pager} offset=${here.offset} total=${total} noun="tasks" turn=${turn} />`}`;
}

function Task({ number, task }) {
  const why = task.state === "completed" ? "" : sentence(task.message || task.progress?.text);
  const open = () => {
    left = task.task;
    location.hash = `#/jobs/${number}/${task.task}`;
  };
  const link = (event) => (event.preventDefault(), event.stopPropagation(), open());
  return html`<tr class="task" onClick=${open}>
    <th scope="row"><a id=${`task-${task.task}`} href=${`#/jobs/${number}/${task.task}`} onClick=${link}
      aria-label=${`Task ${task.task}`}>${task.task}</a></th>
    <td><${Badge} state=${task.state} row=${task} /></td>
    <td>${parameters(task.parameters)}${why && html`<div class="faint small">${why}</div>`}</td>
    <td>${duration(task.run_time)}</td></tr>`;
}

/** A page of them; the last one where there are fewer meanwhile. */
async function read(number, { state, offset }, signal) {
  const wanted = `state=${state}&limit=${PAGE}&offset=${offset}`;
  const response = await ask(`${ofJob(keyOf({ number }), "tasks")}?${wanted}`, { signal });
  const total = Number(response.headers.get("X-Total-Count"));
  if (offset >= total && total > 0) seen.value = { ...seen.value, offset: PAGE * Math.floor((total - 1) / PAGE) };
  return { tasks: await response.json(), total };
}

/** The arrows and j, k go from task to task. */
function step(event) {
  const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  event.stopPropagation();
  const links = [...event.currentTarget.querySelectorAll("tbody a")];
  links[Math.min(links.length - 1, Math.max(0, links.indexOf(document.activeElement) + by))]?.focus();
}
