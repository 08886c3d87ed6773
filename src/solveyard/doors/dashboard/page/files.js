// What is in a job's folder.
import { ask, get, ofJob } from "./api.js";
import { html, signal } from "./html.js";
import { bytes, count, grouped, moment } from "./words.js";

export const TOUCHSTONE = /\.s([1-9]\d{0,2})p$/i;
export const chosenFile = signal(null); // {of: the key of its job, path}: to be plotted

/** What is in a job's folder: the first page of it, what can be plotted, the job's own before what may
 *  be another's, and how much there is. */
export async function folder(key, signal) {
  const place = ofJob(key, "files");
  const response = await ask(place, { signal });
  const first = await response.json();
  const total = Number(response.headers.get("X-Total-Count"));
  const unread = decodeURIComponent(response.headers.get("X-Unread") ?? "");
  const some = first.length < total || first.some((file) => TOUCHSTONE.test(file.path));
  const plots = some ? await get(`${place}?touchstone=true`, { signal }) : [];
  const [own, others] = [plots.filter((file) => file.own), plots.filter((file) => !file.own)];
  return { first, own, others, total, unread };
}

/** `plot` shows one of them drawn. */
export function Files({ of, files, directory, plot }) {
  if (!files) return html`<p class="faint">reading…</p>`;
  const missing = files.unread && html`<p class="faint small">Not all could be looked at: ${files.unread}</p>`;
  if (!files.total) {
    const where = directory ? ` (${directory})` : "";
    return missing || html`<p class="faint nothing">No files in its folder${where} yet.</p>`;
  }
  const show = (path) => {
    chosenFile.value = { of, path };
    plot();
  };
  const part = files.first.length < files.total ? `the first ${grouped(files.first.length)} of ` : "";
  return html`${missing}<table class="facts-table files"><caption>${part}${count(files.total, "file")} in ${directory}</caption>
    <thead><tr><th scope="col">name</th><th scope="col">size</th><th scope="col">changed</th>
      <th scope="col"><span class="unseen">what to do</span></th></tr></thead>
    <tbody>${files.first.map((file) => html`<tr key=${file.path}>
      <th scope="row"><a download href=${ofJob(of, "files", file.path)}>${file.path}</a></th>
      <td>${bytes(file.size)}</td><td>${moment(file.modified)}</td>
      <td>${TOUCHSTONE.test(file.path) && html`<button onClick=${() => show(file.path)}
        aria-label=${`Plot ${file.path}`}>Plot</button>`}</td></tr>`)}</tbody></table>`;
}
