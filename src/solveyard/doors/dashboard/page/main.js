// The page: its parts, its address and its keys.
import { ACTIONS, actOnAll } from "./actions.js";
import { called } from "./badge.js";
import { close, Detail, look, TABS } from "./detail.js";
import { Dialogs, keysShown, Message } from "./dialogs.js";
import { Empty } from "./empty.js";
import { connection, start } from "./feed.js";
import { Gauges } from "./gauges.js";
import { batch, html, render, useEffect, useRef, useState } from "./html.js";
import * as jobs from "./jobs.js";
import { Limits } from "./limits.js";
import { Session, SignIn, who } from "./session.js";
import { hears } from "./socket.js";
import { go, move, open, show, Table } from "./table.js";
import { grouped, moment, STATES } from "./words.js";

const TOLD = 5000; // ms between two spoken summaries

function App() {
  const lost = connection.value.state === "lost";
  if (connection.value.state === "locked") return html`<${Header} /><${SignIn} /><${Message} />`;
  const number = jobs.opened.value;
  const empty = jobs.loaded.value && jobs.known.value === 0 && jobs.total.value === 0;
  return html`
    <${Header} />
    ${lost && html`<${Lost} />`}
    <main class=${`${lost ? "old" : ""} ${number === null ? "" : "with-detail"}`}>
      <div class="overview"><${Gauges} /><${States} /></div>
      ${empty && number === null
        ? html`<${Empty} />`
        : html`<section class="list" aria-label="Jobs"><${Table} /></section>`}
      ${number !== null && html`<${Detail} key=${`${number} ${jobs.task.value}`} number=${number} task=${jobs.task.value} />`}
    </main>
    <${Message} /><${Dialogs} /><${Spoken} />`;
}

function Header() {
  const { state } = connection.value;
  const word = { live: "live", lost: "not connected", locked: "not signed in", connecting: "connecting…" }[state];
  const how = hears.value ? "The manager tells what happens" : "The manager is asked each second: no websocket gets through";
  return html`<header class="top">
    <h1><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M4 9 C10 9 11 9 13 15 C14.500 19.500 15 25 16 25 C17 25 17.500 19.500 19 15 C21 9 22 9 28 9" /></svg>solveyard</h1>
    <input id="search" type="search" placeholder="Search jobs  ( / )" aria-label="Search jobs by name, number, tag, owner, solver, machine, reason or ending"
      title="Words of the name, number, tags, owner, solver, machine, reason, of how far a job is or how it ended; not of what it waits for"
      value=${jobs.text.value} onInput=${(event) => (jobs.text.value = event.target.value)} />
    <span class=${`connection ${state}`} title=${state === "live" ? how : ""}><span aria-hidden="true">●</span> ${word}</span>
    <${Session} />
    <button class="plain" aria-label="Dark or light (.)" title="Dark or light (.)" onClick=${turn}>◐</button>
    <button class="plain" aria-label="Keys (?)" title="Keys (?)" onClick=${() => (keysShown.value = true)}>?</button>
  </header>`;
}

function Lost() {
  const { since, retryAt, why } = connection.value;
  const [now, tick] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const left = Math.max(0, Math.ceil((retryAt - now) / 1000));
  return html`<div class="banner" role="alert">
    ${why ? html`The manager refused: ${why}.` : "Connection lost."}
    ${" "}${jobs.loaded.value ? `What you see is from ${moment(since / 1000)}.` : ""}
    ${" "}<span aria-hidden="true">${left ? `Trying again in ${left} s.` : "Trying again…"}</span></div>`;
}

function States() {
  const counts = jobs.counts.value;
  return html`<div class="states" role="group" aria-label="Jobs and tasks by state">
    <span class="faint" title="An array counts as its tasks" aria-hidden="true">Jobs and tasks</span>
    <${State} name="" icon="" word="all" number=${jobs.total.value} />
    ${Object.entries(STATES).map(([name, { icon }]) => html`<${State} key=${name} name=${name}
      icon=${icon} word=${called(name)} number=${counts[name] ?? 0} />`)}
    <${Mine} /><${Limits} />
  </div>`;
}

/** Only one's own jobs, where there are others' too. */
function Mine() {
  const { name } = who.value ?? {};
  const pressed = jobs.mine.value !== "";
  if (!pressed && !(jobs.owners.value.size > 1 && jobs.owners.value.has(name))) return null;
  return html`<button class="chip" aria-pressed=${pressed} title="Only the jobs that you submitted"
    onClick=${() => (jobs.mine.value = pressed ? "" : name)}>mine</button>`;
}

function State({ name, icon, word, number }) {
  const chosen = jobs.state.value === name;
  return html`<button class=${`chip ${name} ${number ? "" : "none"}`} aria-pressed=${chosen}
    onClick=${() => (jobs.state.value = chosen ? "" : name)}>
    ${icon && html`<span class="sign" aria-hidden="true">${icon}</span>`}<strong>${grouped(number)}</strong> ${word}</button>`;
}

/** The counts for who listens, not more often than each few seconds. */
function Spoken() {
  const [said, say] = useState("");
  const told = useRef(0);
  const counts = jobs.counts.value;
  const now = `Jobs and tasks: ${["running", "queued", "failed"].map((name) => `${grouped(counts[name] ?? 0)} ${name}`).join(", ")}`;
  useEffect(() => {
    const timer = setTimeout(() => {
      told.current = Date.now();
      say(now);
    }, Math.max(0, told.current + TOLD - Date.now()));
    return () => clearTimeout(timer);
  }, [now]);
  return html`<p class="unseen" aria-live="polite">${said}</p>`;
}

/** From dark to light or back, and remember it. */
function turn() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("solveyard-theme", root.dataset.theme);
}

/** `#/jobs/17` is job 17, `#/jobs/17/3` its task of index 3. */
function readAddress() {
  const [, number, task] = /^#\/jobs\/(\d+)(?:\/(-?\d+))?$/.exec(location.hash) ?? [];
  const before = jobs.opened.value;
  batch(() => {
    jobs.opened.value = number ? Number(number) : null;
    jobs.task.value = task === undefined ? null : Number(task);
  });
  if (number) {
    jobs.current.value = Number(number);
    show(Number(number));
  } else if (before !== null) go(before);
}

function chosenJob() {
  if (jobs.task.peek() !== null) return jobs.looked.peek();
  return jobs.row(jobs.opened.peek() ?? jobs.here());
}

function wish(name) {
  const { chosen } = jobs.selectedRows();
  actOnAll(ACTIONS.find((one) => one.name === name), chosen.length ? chosen : [chosenJob()].filter(Boolean));
}

function lookAt(name) {
  look(name);
  if (jobs.opened.peek() === null && jobs.here() !== null) open(jobs.here());
}

const KEYS = {
  "/": () => document.getElementById("search").focus(),
  "?": () => (keysShown.value = true),
  ".": turn,
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  c: () => wish("cancel"),
  r: () => wish("retry"),
  x: () => jobs.here() !== null && jobs.select(jobs.here()),
  Escape: () => (jobs.opened.peek() === null ? (jobs.selected.value = new Set()) : close()),
  0: () => (jobs.state.value = ""),
};
for (const name of [...Object.keys(TABS), "tasks"]) KEYS[name[0]] = () => lookAt(name);
KEYS.v = () => lookAt("results");
Object.keys(STATES).forEach((name, i) => (KEYS[i + 1] = () => (jobs.state.value = name)));

function pressed(event) {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (target.closest("input, select, textarea")) {
    if (key === "Escape") target.blur();
    return;
  }
  const inTable = target === document.body || target.closest(".list");
  if (key.startsWith("Arrow") && !inTable) return;
  if (key === "Enter") {
    if (target.matches("tr.row") || target === document.body) {
      if (jobs.here() !== null) open(jobs.here());
    }
    return;
  }
  if (!KEYS[key]) return;
  event.preventDefault();
  KEYS[key]();
}

addEventListener("keydown", pressed);
addEventListener("hashchange", readAddress);
readAddress();
start();
render(html`<${App} />`, document.getElementById("app"));
