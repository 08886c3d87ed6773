// Numbers and states as people read them.

/** By state: its sign, and what it is called. Colour is never alone. */
export const STATES = {
  held: { icon: "‖", word: "held" },
  queued: { icon: "○", word: "queued" },
  submitted: { icon: "◔", word: "submitted" },
  running: { icon: "●", word: "running" },
  completed: { icon: "✓", word: "completed" },
  failed: { icon: "✗", word: "failed" },
  cancelled: { icon: "∅", word: "cancelled" },
};
export const FINAL = new Set(["completed", "failed", "cancelled"]);
export const WAITING = new Set(["held", "queued", "submitted"]);

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Bytes: "1.2 MiB". */
export function bytes(count) {
  let power = 0;
  while (count >= 1024 && power < UNITS.length - 1) {
    count /= 1024;
    power += 1;
  }
  return `${count >= 100 || power === 0 ? Math.round(count) : count.toFixed(1)} ${UNITS[power]}`;
}

/** Seconds: "0.04 s", "41 s", "18 min 3 s", "5 h 12 min", "3 d 4 h". */
export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(seconds < 1 ? 2 : 1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/** A moment by this browser's clock and place: the time today, else with its date. */
export function moment(at, now = Date.now() / 1000) {
  if (at == null) return "–";
  const then = new Date(at * 1000);
  const time = then.toLocaleTimeString([], { hourCycle: "h23" });
  if (day(at) === day(now)) return time;
  return `${then.toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" })} ${time}`;
}

/** The same in a narrow column: "21:43:07", "27 Nov, 21:43", of another year "27 Nov 2025". */
export function brief(at, now) {
  if (at == null || day(at) === day(now)) return moment(at, now);
  const then = new Date(at * 1000);
  const thisYear = then.getFullYear() === new Date(now * 1000).getFullYear();
  const rest = thisYear ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : { year: "numeric" };
  return then.toLocaleString([], { month: "short", day: "numeric", ...rest });
}

/** Which day it is in this browser's place. */
export function day(at) {
  return new Date(at * 1000).toDateString();
}

/** ISO 8601 as seconds since 1970. */
export function seconds(iso) {
  return iso == null ? null : Date.parse(iso) / 1000;
}

/** Hz: the unit that suits the largest of them, and what it counts. */
export function frequencyUnit(largest) {
  return [["THz", 1e12], ["GHz", 1e9], ["MHz", 1e6], ["kHz", 1e3], ["Hz", 1]].find(
    ([, scale]) => largest >= scale || scale === 1,
  );
}

/** A whole number, by thousands: "10 002". */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A number with its noun: "1 job", "12 jobs". */
export function count(number, noun) {
  return `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** What somebody gave, in full; a float by the 15 digits that any has: 0.3, not 0.30000000000000004. */
export function value(one) {
  return rounded(one, 15);
}

/** What was measured: a float by six digits, and by no fewer than there are before its point. */
export function short(one) {
  return rounded(one, Math.max(6, String(Math.trunc(Math.abs(one))).length));
}

/** A frequency in its unit; what was swept may be any fraction of it. */
export function frequency(one) {
  return rounded(one, 9);
}

/** A level in dB; what is a hair below none is "0.00 dB", without a sign. */
export function level(one) {
  return `${(Math.round(one * 100) / 100 || 0).toFixed(2)} dB`;
}

/** A phase: "-45.00°". */
export function angle(one) {
  return `${(Math.round(one * 100) / 100 || 0).toFixed(2)}°`;
}

function rounded(one, digits) {
  if (one == null) return "–";
  if (typeof one !== "number" || Number.isInteger(one)) return String(one);
  return String(Number(one.toPrecision(Math.min(digits, 15))));
}

/** A task's own: "length 0.44, radius 0.001". */
export function parameters(of, said = value) {
  return Object.entries(of).map(([name, one]) => `${name} ${said(one)}`).join(", ");
}

/** Of the parameters of several, those that aren't the same in all. */
export function differing(several) {
  const [first] = several;
  const differs = (name) => several.some((of) => of[name] !== first[name]);
  if (several.length < 2) return several;
  return several.map((of) => Object.fromEntries(Object.entries(of).filter(([name]) => differs(name))));
}

/** How many of an array's tasks have ended. */
export function ended(tasks) {
  return tasks.completed + tasks.failed + tasks.cancelled;
}

/** What a job waits for, with the words before it, and by this browser's clock. */
export function waits(why) {
  return why ? `waiting for ${why.replace(/\b(\d\d:\d\d:\d\d) UTC/g, hour)}` : why;
}

/** A time of the day in UTC as it is here; the manager names no day with it. */
function hour(_, time) {
  const day = new Date().toISOString().slice(0, 10);
  return new Date(`${day}T${time}Z`).toLocaleTimeString([], { hourCycle: "h23" });
}

/** A user, or who signed in with a token: by that token's name. */
export function person(name) {
  return name.replace(/^token:/, "");
}

/** "waiting for a core", said as a sentence: "Waiting for a core." */
export function sentence(text) {
  if (!text) return "";
  const begun = text[0].toUpperCase() + text.slice(1);
  return /[.!?)]$/.test(begun) ? begun : `${begun}.`;
}
