// The jobs that this page knows, and which of them are shown.
import { batch, computed, signal } from "./html.js";
import { day, FINAL, WAITING } from "./words.js";

const KEPT = 20_000; // rows; beyond them some are let go, those that run never
const FAILED = 2000; // of the newest that failed are kept before others
const LEAVES = { queued: 1, held: 2, submitted: 3 }; // after those that ended, in this order

const rows = new Map(); // by number
const version = signal(0); // goes up with every change to `rows`
let advances = 0; // how often a job has told how far it is

export const loaded = signal(false); // all that shall be known is
export const cut = signal(false); // and there are more than that
export const status = signal(null); // of the manager and its machines, as it was last told
export const clock = signal(Date.now() / 1000); // the manager's, s since 1970
export const today = computed(() => day(clock.value)); // what is read from the clock beside it is shown anew each day
export const state = signal(""); // only jobs in this state, and arrays with tasks in it; "": in any
export const text = signal(""); // only jobs that mention all these words
export const mine = signal(""); // only jobs of this owner; "": of anybody
export const current = signal(null); // the number of the row that the keyboard is at
export const selected = signal(new Set()); // numbers of the jobs to act on together
export const opened = signal(null); // the number of the job that is looked at
export const task = signal(null); // the index of its task that is looked at, where it is an array
export const looked = signal(null); // the record of what is looked at
export const advanced = signal(null); // {job, task, id, progress}: how far the last that told is

/** Newest first. */
const numbers = computed(() => {
  version.value;
  return Float64Array.from(rows.keys()).sort().reverse();
});

/** Whose jobs they are; told where there are more than one. */
export const owners = computed(() => {
  version.value;
  return new Set(Array.from(rows.values(), ({ owner }) => owner));
});

/** The filters, where there are any: does a row pass them? */
const passes = computed(() => {
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = state.value;
  const owner = mine.value;
  if (!words.length && !wanted && !owner) return null;
  return (row) =>
    (!wanted || has(row, wanted)) && (!owner || row.owner === owner) && words.every((word) => said(row).includes(word));
});

/** The numbers of the jobs that pass the filters, newest first. */
export const shown = computed(() => {
  const [all, pass] = [numbers.value, passes.value];
  return pass ? all.filter((number) => pass(rows.get(number))) : all;
});

/** How many jobs and tasks there are by state, known here or not; an array counts as its tasks. */
export const counts = computed(() => status.value?.queue ?? {});
export const total = computed(() => Object.values(counts.value).reduce((sum, one) => sum + one, 0));
export const known = computed(() => (version.value, rows.size));

/** How many jobs and tasks by state are not in this list, where it is cut. */
export const absent = computed(() => {
  version.value;
  const left = cut.value ? { ...counts.value } : {};
  for (const row of cut.value ? rows.values() : []) {
    for (const name in left) left[name] -= row.tasks ? row.tasks[name] : row.state === name;
  }
  return Object.entries(left).filter(([, number]) => number > 0);
});

/** The names of the batch systems, with spaces. */
export const clusters = computed(() => (status.value?.clusters ?? []).map(({ name }) => name).join(" "));

/** Is it in a batch system's line? Otherwise what is submitted is about to start, on a machine of ours. */
export function waitsElsewhere({ state, machine, attempts }) {
  return state === "submitted" && isCluster(machine ?? attempts.at(-1)?.machine);
}

export function isCluster(machine) {
  return clusters.value.split(" ").includes(machine);
}

export function row(number) {
  version.value;
  return rows.get(number);
}

/** Take what has come: new or changed rows, and the numbers of removed jobs. */
export function take(changed, removed = []) {
  if (!changed.length && !removed.length) return;
  batch(() => {
    for (const one of changed) {
      const before = rows.get(one.number);
      const same = before?.state === one.state && WAITING.has(one.state);
      if (one.why === null) one.why = same ? before.why : ""; // until asked for
      rows.set(one.number, one);
      if (one.number === advanced.peek()?.job && one.state !== "running") advanced.value = null;
    }
    for (const number of removed) rows.delete(number);
    if (rows.size > KEPT * 1.1) letGo();
    version.value += 1;
  });
}

export const heard = () => advances;

/** Take from rows that were asked for apart why the jobs wait, or how far they are, and nothing else: the answer may be
 *  older than what is known by now. Of one that told more since `asked` nothing. */
export function explain(told, asked) {
  const news = told.filter(({ number, state, started_at, why }) => {
    const known = rows.get(number);
    const same = known?.state === state && known.started_at === started_at && known.why !== why;
    return same && !(known.heard > asked);
  });
  if (!news.length) return;
  for (const { number, why } of news) rows.set(number, { ...rows.get(number), why, said: undefined });
  version.value += 1;
}

/** A running job, or task of an array, tells how far it is. */
export function advance(told) {
  batch(() => {
    advanced.value = told;
    const one = rows.get(told.job);
    if (one?.state !== "running" || !told.progress.text) return;
    const of = told.task === null ? "" : `task ${/\[(.*)\]$/.exec(told.id)[1]}: `;
    rows.set(told.job, { ...one, why: of + told.progress.text, said: undefined, heard: (advances += 1) });
    version.value += 1;
  });
}

/** Forget all: another store answers now. */
export function clear() {
  rows.clear();
  selected.value = new Set();
  mine.value = "";
  loaded.value = cut.value = false;
  version.value += 1;
}

/** Forget what was looked for and looked at. */
export function forget() {
  batch(() => {
    state.value = text.value = mine.value = "";
    for (const one of [current, opened, task, looked, advanced]) one.value = null;
  });
}

/** Take a job to those that are acted on together, or away from them. */
export function select(number) {
  const chosen = new Set(selected.peek());
  if (!chosen.delete(number)) chosen.add(number);
  selected.value = chosen;
}

/** The selected jobs that are still there, oldest first: those that are shown, which alone are acted on, and the others. */
export function selectedRows() {
  version.value;
  const all = [...selected.value].sort((a, b) => a - b).flatMap((number) => rows.get(number) ?? []);
  const pass = passes.value ?? (() => true);
  return { chosen: all.filter(pass), hidden: all.filter((row) => !pass(row)) };
}

/** The number of the row that the keyboard is at, where that is shown. */
export function here() {
  const number = current.peek();
  return shown.peek().includes(number) ? number : null;
}

/** What to read first, so that the rest is what can be missed best: states, and how many jobs. */
export const FIRST = [["running", KEPT], ["failed", FAILED], ["submitted,held", KEPT], ["queued", KEPT], ["", KEPT]];

export function isFull() {
  return rows.size >= KEPT;
}

/** The oldest first, but for those that run, are looked at or selected, and the newest that failed. */
function letGo() {
  const all = [...rows.values()].sort((a, b) => a.number - b.number);
  const failed = all.filter(({ state }) => state === "failed").slice(-FAILED);
  const stay = new Set([opened.peek(), ...selected.peek(), ...failed.map(({ number }) => number)]);
  const rank = ({ state }) => (FINAL.has(state) ? 0 : LEAVES[state]);
  const spare = all.filter(({ number, state }) => state !== "running" && !stay.has(number));
  spare.sort((a, b) => rank(a) - rank(b));
  for (const { number } of spare.slice(0, rows.size - KEPT)) rows.delete(number);
  cut.value = true;
}

/** Does it count in this state? */
function has(row, wanted) {
  return row.tasks ? row.tasks[wanted] > 0 : row.state === wanted;
}

/** All that can be searched for in a row, made when it is first needed. What a job waits for is known
 *  of those alone that were on the screen, so it is not looked at. */
function said(row) {
  const why = WAITING.has(row.state) ? "" : row.why;
  row.said ??= [row.number, row.id, row.owner, row.solver, row.machine, why, row.reason, ...row.tags]
    .join(" ")
    .toLowerCase();
  return row.said;
}
