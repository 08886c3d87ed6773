// Keeps the jobs of this page as the manager's are.
//
// Something says that there may be news: the socket, where it gets through, else the clock. What is
// new is then asked for by the number of the last event known, so nothing is missed or seen twice,
// whatever the socket lost.
import { get, Refused } from "./api.js";
import { unask } from "./dialogs.js";
import { batch, signal } from "./html.js";
import * as jobs from "./jobs.js";
import * as socket from "./socket.js";
import { WAITING } from "./words.js";

const PAGE = 500; // rows of one answer
const PAUSE = 100; // ms from one look to the next, at least
const BEAT = 1000; // ms between two looks where nothing is heard by the socket
const GAUGES = 5000; // ms between two looks where it is: machines are measured without an event
const RETRIES = [1000, 2000, 3000, 5000]; // ms; the last one goes on
const GLANCE = 5; // s between two looks at why the visible jobs wait

/** `state`: "connecting", "live", "lost" or "locked" (nothing is shown without a token); `since`,
 *  `retryAt` in ms; `why` in words. */
export const connection = signal({ state: "connecting" });

/** {store, who}: whose jobs these are, and who looks; null before that is known. Another store may answer at the same
 *  address, and another person sign in beside this page. */
export const view = signal(null);

let last = null; // number of the last event known
let unread = null; // of the beginning: {last: the event known then, parts: [{states, most, cursor}]}
let newest = 0; // number of the last event heard of
let looked = 0; // ms: when the last look succeeded
let ahead = 0; // s that the manager's clock is ahead of this browser's
let visible = () => []; // numbers of the rows on the screen
let busy = null; // the look that is under way
let timer = null; // of the next one
let ticks = 0;

export function start() {
  socket.listen({ news: heard, progress: jobs.advance, lost: beat, begun: missed });
  document.addEventListener("visibilitychange", seen);
  window.addEventListener("focus", () => connection.peek().state === "locked" && seen());
  window.addEventListener("online", beat);
  setInterval(tick, 1000);
  beat();
}

/** The table says which rows are on the screen; only their waiting is looked at again. */
export function watch(numbers) {
  visible = numbers;
}

/** Look now; a look that is under way is joined. */
export function look() {
  busy ??= attempt().finally(() => (busy = null));
  return busy;
}

/** Somebody has signed in. */
export async function resume() {
  connection.value = { state: "connecting" };
  await beat();
}

/** Look, and again when it is time; not while nobody can see the page, or nobody may. */
async function beat() {
  clearTimeout(timer);
  if (document.hidden || connection.value.state === "locked") return;
  const delay = await look();
  later(delay);
}

function later(delay) {
  clearTimeout(timer);
  timer = setTimeout(beat, delay);
}

function heard(number) {
  newest = Math.max(newest, number);
  if (!busy) later(Math.max(0, looked + PAUSE - Date.now()));
}

/** Seen again it looks even while it is locked: somebody may have signed in beside it. */
async function seen() {
  if (document.hidden) socket.close();
  else later(await look());
}

/** Each second: what changes without an event. */
function tick() {
  if (document.hidden || connection.value.state !== "live") return;
  jobs.clock.value = Date.now() / 1000 + ahead;
  const unexplained = inQuestion().some((number) => !jobs.row(number).why);
  const due = ticks++ % GLANCE === 0;
  if (due || unexplained) waiting().catch(() => {}); // the next tick asks again
  if (due && !socket.hears.value) missed(); // nobody tells how far they are
}

/** Look once; ms until the next look. */
async function attempt() {
  const failures = connection.value.failures ?? 0;
  try {
    if (last === null) await load();
    else await catchUp();
    looked = Date.now();
    if (connection.value.state !== "live") connection.value = { state: "live" };
    socket.hear(last);
    if (newest > last) return PAUSE;
    return socket.hears.value ? GAUGES : BEAT;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return lock();
    if (connection.value.state === "locked") return BEAT; // nothing is shown that could be old
    const delay = RETRIES[Math.min(failures, RETRIES.length - 1)];
    connection.value = {
      state: "lost",
      failures: failures + 1,
      since: looked,
      retryAt: Date.now() + delay,
      why: error instanceof Refused ? error.message : "",
    };
    return delay;
  }
}

/** Forget what this browser may not see any more, until somebody signs in. */
function lock() {
  if (view.peek()) forget(); // else nothing was shown yet, and the address is what somebody came for
  last = unread = view.value = null;
  jobs.clear();
  jobs.status.value = null;
  connection.value = { state: "locked" };
  socket.close();
  return BEAT;
}

/** What somebody looked at, searched for and was asked is no business of who comes next. */
function forget() {
  unask();
  jobs.forget();
  location.hash = "";
}

/** Look, and throw unless it is the same view still as it was `before`: a job's number means another one elsewhere. */
export async function sure(before) {
  await look();
  if (connection.value.state !== "live") throw new Error("the manager does not answer");
  const { store } = view.peek();
  if (store !== before.store) throw new Error("another store answers at this address by now");
  if (view.peek() !== before) throw new Error("somebody else is signed in by now");
}

/** Everything from the beginning, as much as is kept; after an answer that didn't come, on from there. */
async function load() {
  const begun = await get("dashboard/changes");
  const { store, who } = begun;
  const before = view.peek();
  if (before && who !== before.who) forget();
  else if (before && store !== before.store) location.hash = ""; // what is open has gone with its store
  if (store !== before?.store || who !== before.who) {
    view.value = { store, who };
    unread = null;
  }
  if (!unread) jobs.clear();
  unread ??= { last: begun.last, parts: jobs.FIRST.map(([states, most]) => ({ states, most, cursor: "" })) };
  tell(begun);
  for (; unread.parts.length; unread.parts.shift()) await pages(unread.parts[0]);
  jobs.loaded.value = true;
  last = newest = unread.last;
  unread = null;
}

/** The newest `most` jobs in these states, "" for any, while there is room. Told in `part` how far that is. */
async function pages(part) {
  const { states } = part;
  while (part.cursor !== null && part.most > 0 && !jobs.isFull()) {
    const more = part.cursor && `&cursor=${encodeURIComponent(part.cursor)}`;
    const page = await get(`dashboard/jobs?state=${states}&limit=${Math.min(PAGE, part.most)}${more}`);
    jobs.take(page.jobs);
    part.cursor = page.cursor;
    part.most -= page.jobs.length;
  }
  if (states === "" && part.cursor !== null) jobs.cut.value = true;
}

async function catchUp() {
  let news;
  do {
    const { store, who } = view.peek();
    news = await get(`dashboard/changes?after=${last}&store=${store}`);
    if (news.forgotten || news.who !== who) {
      last = null;
      return load();
    }
    tell(news);
    last = news.last;
  } while (news.more);
}

/** Why the visible jobs wait: it changes without an event, so it is asked for apart. */
export function waiting() {
  return explain(inQuestion());
}

/** How far the visible jobs are that run: what was told before anybody listened isn't told again. */
function missed() {
  const running = visible().filter((number) => jobs.row(number)?.state === "running");
  explain(running).catch(() => {}); // they tell the next that there is
}

async function explain(numbers) {
  if (!numbers.length) return;
  const asked = jobs.heard();
  const { jobs: rows } = await get(`dashboard/jobs/${numbers.slice(0, 100).join(",")}`);
  jobs.explain(rows, asked);
}

/** The visible jobs that wait. */
function inQuestion() {
  return visible().filter((number) => WAITING.has(jobs.row(number)?.state));
}

function tell(news) {
  batch(() => {
    ahead = news.now - Date.now() / 1000;
    jobs.clock.value = news.now;
    jobs.status.value = news.status;
    jobs.take(news.jobs, news.removed);
  });
}
