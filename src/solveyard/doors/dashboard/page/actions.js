// What can be done to a job. What ends or repeats work, or forgets it, asks first.
import { ask, get, keyOf, ofJob } from "./api.js";
import { called } from "./badge.js";
import { confirm, say } from "./dialogs.js";
import { look, sure, view } from "./feed.js";
import * as jobs from "./jobs.js";
import { count, FINAL, WAITING } from "./words.js";

const NAMED = 5; // jobs that are told by name
const AT_ONCE = 500; // tasks that one request names

export const ACTIONS = [
  {
    name: "release",
    label: "Release",
    fits: (job) => job.state === "held" || (canWait(job) && job.held),
    done: (id) => `${id} waits for its turn.`,
  },
  {
    name: "hold",
    label: "Hold",
    fits: (job) => job.state === "queued" || (canWait(job) && !job.held),
    done: (id) => `${id} is held until somebody releases it.`,
  },
  {
    name: "priority",
    label: "Priority…",
    fits: (job) => WAITING.has(job.state) || canWait(job),
    done: (id, { priority }) => `${id} has priority ${priority}.`,
    question: (job) => ({
      title: `Priority of ${job.id}`,
      text: "Larger goes first, of equal ones the older. What runs isn't stopped for it.",
      fields: [{ name: "priority", label: "Priority", value: job.priority, required: true, step: 1, min: -1e9, max: 1e9 }],
      yes: "Set it",
      no: "Leave it",
    }),
  },
  {
    name: "cancel",
    label: "Cancel…",
    danger: true,
    fits: (job) => !FINAL.has(job.state) && !job.cancel_requested,
    done: (id) => `${id} is being cancelled.`,
    question: (job) => ({
      title: `Cancel ${job.id}?`,
      text: job.tasks
        ? "Its tasks that run are told to end; those that wait never start, unless they are retried."
        : job.state === "running" || (job.state === "submitted" && !jobs.waitsElsewhere(job))
        ? "Its processes are told to end; those that don't are killed after the job's grace period."
        : "It has not started, and then never will, unless it is retried.",
      yes: job.tasks ? "Cancel the array" : "Cancel the job",
      no: "Let it go on",
      danger: true,
    }),
  },
  {
    name: "retry",
    label: "Retry…",
    fits: (job) => FINAL.has(job.state),
    done: (id) => `${id} waits to run again.`,
    question: (job) => ({
      title: `Run ${job.id} again?`,
      text: job.tasks
        ? "Those of its tasks that did not succeed run again; the others stay as they are."
        : "It becomes a new attempt beside the old ones, with the same specification.",
      yes: "Retry",
    }),
  },
  {
    name: "retry-failed",
    label: "Retry failed…",
    fits: (job) => job.tasks?.failed > 0,
    done: (id) => `The failed tasks of ${id} wait to run again.`,
    question: (job) => ({
      title: `Run what failed of ${job.id} again?`,
      text: `${count(job.tasks.failed, "task")} failed; the others stay as they are.`,
      yes: "Retry what failed",
    }),
  },
  {
    name: "remove",
    label: "Remove…",
    danger: true,
    fits: (job) => FINAL.has(job.state) && job.task == null,
    done: (id) => `${id} is removed.`,
    question: (job) => ({
      title: `Remove ${job.id}?`,
      text: "The manager forgets it; that can't be undone.",
      extra: "Its output and its own folder, too",
      yes: "Remove",
      no: "Keep it",
      danger: true,
    }),
  },
];

/** In no line of ours, but it may be held: in a batch system's, or an array that begins more tasks. */
function canWait(job) {
  return jobs.waitsElsewhere(job) || (job.tasks && job.state === "running");
}

/** Do it to those of the jobs that it fits, after one question, and tell what became of it. */
export async function actOnAll(action, all) {
  const fitting = all.filter(action.fits);
  const [first] = fitting;
  if (!first) return;
  if (fitting.length === 1) return act(action, first);
  const many = count(fitting.length, "job");
  const verb = action.label.replace("…", "");
  const names = fitting.slice(0, NAMED).map((job) => job.id).join(", ");
  const those = fitting.length > NAMED ? `${names} and ${fitting.length - NAMED} more.` : `${names}.`;
  const alike = fitting.every(({ priority }) => priority === first.priority);
  const question = action.question?.(alike ? first : { ...first, priority: null });
  const words = question?.fields
    ? { title: `${verb} of ${many}`, text: `${those} ${question.text}` }
    : { title: `${verb} ${many}?`, text: those, yes: `${verb} them` };
  const asked = view.peek();
  const answer = await confirm({ ...question, ...words, no: "Leave them as they are" });
  if (!answer) return;
  try {
    await sure(asked);
  } catch (error) {
    return say(`Nothing was done: ${error.message}`, "error");
  }
  const troubles = [];
  for (const job of fitting) {
    await send(action, job, answer).catch((error) => troubles.push(`${job.id}: ${error.message}`));
  }
  const done = `Done for ${count(fitting.length - troubles.length, "job")}.`;
  if (troubles.length) say(`${done} Not for ${troubles.slice(0, NAMED).join("; ")}`, "error");
  else say(done);
  look();
}

/** Do it, after asking where it asks, and tell what became of it. */
export async function act(action, job) {
  const asked = view.peek();
  const answer = action.question ? await confirm(action.question(job)) : {};
  if (!answer) return;
  try {
    await sure(asked);
    await send(action, job, answer);
    say(action.done(job.id, answer.values));
  } catch (error) {
    say(`Could not ${action.name.replace("-", " ")} ${job.id}: ${error.message}`, "error");
  }
  look();
}

/** Throws where it doesn't fit any more: the job may have gone on while its question stood there. */
async function send(action, job, { extra, values }) {
  const now = (job.task == null && jobs.row(job.number)) || job;
  if (!action.fits(now)) throw new Error(asItIs(now));
  if (action.name === "retry-failed") return retryFailed(job);
  if (action.name === "remove") {
    await ask(`${ofJob(keyOf(job))}?files=${extra}`, { method: "DELETE" });
    if (jobs.opened.peek() === job.number) location.hash = "";
    return;
  }
  const { job: after } = await get(ofJob(keyOf(job), action.name), { method: "POST", body: values ?? {} });
  const ended = FINAL.has(after.state) && after.state !== "cancelled" && !after.cancel_requested;
  if (action.name === "cancel" && ended) throw new Error(asItIs(after)); // right before
}

function asItIs({ state, cancel_requested }) {
  return cancel_requested && !FINAL.has(state) ? "it is being cancelled already" : `it is ${called(state)} by now`;
}

/** The failed tasks alone, which the table of results names in fewer words than the tasks do. */
async function retryFailed(array) {
  const rows = await get(`${ofJob(keyOf(array), "results")}?format=json`, { patience: 60_000 });
  const failed = rows.filter((row) => row.state === "failed").map((row) => row.index);
  for (let start = 0; start < failed.length; start += AT_ONCE) {
    const some = failed.slice(start, start + AT_ONCE);
    await ask(ofJob(`${keyOf(array)}[${some}]`, "retry"), { method: "POST", body: {} });
  }
}
