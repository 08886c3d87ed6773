// What can be done to a job. What ends or repeats work, or forgets it, asks first.
import { ask, ofJob } from "./api.js";
import { confirm, say } from "./dialogs.js";
import { look } from "./feed.js";
import { FINAL } from "./words.js";

export const ACTIONS = [
  {
    name: "release",
    label: "Release",
    fits: (job) => job.state === "held",
    done: (id) => `${id} waits for its turn.`,
  },
  {
    name: "hold",
    label: "Hold",
    fits: (job) => job.state === "queued",
    done: (id) => `${id} is held until somebody releases it.`,
  },
  {
    name: "cancel",
    label: "Cancel…",
    danger: true,
    fits: (job) => !FINAL.has(job.state) && !job.cancel_requested,
    done: (id) => `${id} is being cancelled.`,
    question: (job) => ({
      title: `Cancel ${job.id}?`,
      text: job.state === "running" || job.state === "submitted"
        ? "Its processes are told to end; those that don't are killed after the job's grace period."
        : "It has not started, and then never will, unless it is retried.",
      yes: "Cancel the job",
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
      text: "It becomes a new attempt beside the old ones, with the same specification.",
      yes: "Retry",
    }),
  },
  {
    name: "remove",
    label: "Remove…",
    danger: true,
    fits: (job) => FINAL.has(job.state),
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

/** Do it, after asking where it asks, and tell what became of it. */
export async function act(action, job) {
  const answer = action.question ? await confirm(action.question(job)) : {};
  if (!answer) return;
  try {
    if (action.name === "remove") await ask(`${ofJob(job.id)}?files=${answer.extra}`, { method: "DELETE" });
    else await ask(ofJob(job.id, action.name), { method: "POST", body: {} });
    say(action.done(job.id));
    if (action.name === "remove") location.hash = "";
  } catch (error) {
    say(`Could not ${action.name} ${job.id}: ${error.message}`, "error");
  }
  look();
}
