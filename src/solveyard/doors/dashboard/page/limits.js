// What may start: how many jobs at once, and how busy a machine may be for another.
import { ask } from "./api.js";
import { confirm, say } from "./dialogs.js";
import { look, sure, view } from "./feed.js";
import { html } from "./html.js";
import * as jobs from "./jobs.js";
import { count, value } from "./words.js";

const FIELDS = [
  { name: "max_concurrent", label: "Jobs at once, at most", min: 0, step: 1, told: (most) => `at most ${count(most, "job")} at once` },
  { name: "max_cpu_percent", label: "CPU in use, below %", min: 1, max: 100, step: "any", told: (percent) => `CPU below ${value(percent)} %` },
  { name: "min_memory_gb", label: "Memory free, at least GiB", min: 0, step: "any", told: (gib) => `${value(gib)} GiB of memory free` },
  { name: "min_disk_gb", label: "Disk free, at least GiB", min: 0, step: "any", told: (gib) => `${value(gib)} GiB of disk free` },
];

/** They in a few words; a click changes them. */
export function Limits() {
  const limits = jobs.status.value?.limits;
  if (!limits) return null;
  const set = FIELDS.filter(({ name }) => limits[name] !== null && (name === "max_concurrent" || limits[name] > 0));
  const words = set.map(({ name, told }) => told(limits[name])).join(", ");
  return html`<button class="quiet limits" title="What may start on the machines; a click changes it"
    onClick=${() => change(limits)}>${words ? `Limits: ${words}` : "No limits"}</button>`;
}

async function change(limits) {
  const asked = view.peek();
  const answer = await confirm({
    title: "Limits",
    text: "What may start on the machines from now on; what runs goes on. An empty field is no limit.",
    fields: FIELDS.map(({ told, ...field }) => ({ ...field, value: limits[field.name] })),
    yes: "Set them",
    no: "Leave them",
  });
  const changed = Object.entries(answer?.values ?? {}).filter(([name, one]) => one !== limits[name]);
  if (!changed.length) return;
  try {
    await sure(asked);
    await ask("pool/limits", { method: "PUT", body: Object.fromEntries(changed) });
    say("The limits are set.");
  } catch (error) {
    say(`Could not set the limits: ${error.message}`, "error");
  }
  look();
}
