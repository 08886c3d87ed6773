// Keeps the jobs of this page as the manager's are.
//
// A source says that there may be news; what is new is then asked for by the number of the last
// event known, so nothing is missed or seen twice, whatever the source lost. `start` names the
// source: a socket that hears events can take the place of the clock.
import { get, Refused } from "./api.js";
import { batch, signal } from "./html.js";
import * as jobs from "./jobs.js";
import { WAITING } from "./words.js";

const BEAT = 1000; // ms between two looks
const RETRIES = [1000, 2000, 3000, 5000]; // ms; the last one goes on
const GLANCE = 5; // beats between two looks at why the visible jobs wait

/** `state`: "connecting", "live" or "lost"; `since`, `retryAt` in ms; `why` in words. */
export const connection = signal({ state: "connecting" });

let last = null; // number of the last event known
let visible = () => []; // numbers of the rows on the screen
let busy = null; // the look that is under way

export function start(source = everySecond) {
  source(look);
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

/** A source: news is expected each second while somebody can see the page. */
function everySecond(news) {
  let timer = null;
  let beats = 0;
  const beat = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    const delay = await news();
    const due = beats++ % GLANCE === 0 || inQuestion().some((number) => !jobs.row(number).why);
    if (delay === BEAT && due) await waiting().catch(() => {}); // the next beat asks again
    clearTimeout(timer);
    timer = setTimeout(beat, delay);
  };
  document.addEventListener("visibilitychange", beat);
  window.addEventListener("online", beat);
  beat();
}

/** Look once; ms until the next look. */
async function attempt() {
  const failures = connection.value.failures ?? 0;
  try {
    if (last === null) await load();
    else await catchUp();
    if (connection.value.state !== "live") connection.value = { state: "live" };
    return BEAT;
  } catch (error) {
    const delay = RETRIES[Math.min(failures, RETRIES.length - 1)];
    connection.value = {
      state: "lost",
      failures: failures + 1,
      since: connection.value.since ?? Date.now(),
      retryAt: Date.now() + delay,
      why: error instanceof Refused ? error.message : "",
    };
    return delay;
  }
}

/** Everything from the beginning: the unfinished jobs, then the newest. */
async function load() {
  const begun = await get("dashboard/changes");
  jobs.clear();
  tell(begun);
  await pages("dashboard/jobs?unfinished=true");
  await pages("dashboard/jobs?unfinished=false");
  jobs.loaded.value = true;
  last = begun.last;
}

async function pages(path) {
  let cursor = null;
  do {
    const more = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await get(`${path}&limit=1000${more}`);
    jobs.take(page.jobs);
    cursor = page.cursor;
  } while (cursor !== null && !jobs.isFull());
}

async function catchUp() {
  let news;
  do {
    news = await get(`dashboard/changes?after=${last}`);
    if (news.forgotten) {
      last = null;
      return load();
    }
    tell(news);
    last = news.last;
  } while (news.more);
}

/** Why the visible jobs wait: it changes without an event, so it is asked for apart. */
export async function waiting() {
  const numbers = inQuestion();
  if (!numbers.length) return;
  const { jobs: rows } = await get(`dashboard/jobs/${numbers.slice(0, 100).join(",")}`);
  jobs.take(rows.filter((row) => row.why !== jobs.row(row.number)?.why));
}

/** The visible jobs that wait. */
function inQuestion() {
  return visible().filter((number) => WAITING.has(jobs.row(number)?.state));
}

function tell(news) {
  batch(() => {
    jobs.clock.value = news.now;
    jobs.status.value = news.status;
    jobs.take(news.jobs, news.removed);
  });
}
