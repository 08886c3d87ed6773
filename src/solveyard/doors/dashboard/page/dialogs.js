// What asks before it acts, what tells what became of it, and the page of keys.
import { html, signal, useEffect, useRef, useState } from "./html.js";

const question = signal(null);
const message = signal(null);
export const keysShown = signal(false);

/** Ask; resolves to null when the answer is no, else to {extra: whether its box was ticked, values: the
 *  numbers of its `fields` by name, null where nothing stands}. */
export function confirm(asked) {
  return new Promise((answer) => (question.value = { ...asked, answer }));
}

/** Whatever is asked, the answer is no; and what was said is not said any more. */
export function unask() {
  question.peek()?.answer(null);
  question.value = message.value = null;
}

/** Say something for some seconds; errors stay until they are closed. */
export function say(text, kind = "") {
  const mine = { text, kind };
  message.value = mine;
  if (kind !== "error") setTimeout(() => message.value === mine && (message.value = null), 6000);
}

export function Dialogs() {
  return html`<${Question} /><${Keys} />`;
}

export function Message() {
  const said = message.value;
  return html`<div class="message-place" role="status">${said && html`
    <div class=${`message ${said.kind}`}>${said.text}
      <button class="plain" aria-label="Close" onClick=${() => (message.value = null)}>✕</button>
    </div>`}</div>`;
}

function Question() {
  const asked = question.value;
  const [extra, setExtra] = useState(false);
  useEffect(() => setExtra(false), [asked]);
  if (!asked) return null;
  const done = (answer) => {
    question.value = null;
    asked.answer(answer);
  };
  const yes = (event) => {
    event.preventDefault();
    const given = [...new FormData(event.target)];
    done({ extra, values: Object.fromEntries(given.map(([name, one]) => [name, one === "" ? null : Number(one)])) });
  };
  const fields = asked.fields ?? [];
  return html`<${Modal} label=${asked.title} close=${() => done(null)}>
    <h2>${asked.title}</h2>
    <p>${asked.text}</p>
    <form onSubmit=${yes}>
      ${fields.map(({ name, label, value, ...rest }, index) => html`<label class="field number" key=${name}><span>${label}</span>
        <input type="number" name=${name} data-first=${index === 0} ref=${(field) => field && (field.defaultValue = value ?? "")} ...${rest} /></label>`)}
      ${asked.extra && html`<label class="box"><input type="checkbox" checked=${extra}
        onChange=${(event) => setExtra(event.target.checked)} /> ${asked.extra}</label>`}
      <div class="buttons">
        <button type="button" data-first=${asked.danger} onClick=${() => done(null)}>${asked.no ?? "Not now"}</button>
        <button class=${asked.danger ? "danger" : "primary"} data-first=${!asked.danger && !fields.length}>${asked.yes}</button>
      </div></form><//>`;
}

const KEYS = [
  ["/", "search"],
  ["j  k", "next, previous job"],
  ["Enter", "open the job"],
  ["Esc", "from a task to its array; close what is open, then select none"],
  ["o  l  p  f", "overview, log, plots, files of the open job"],
  ["t  v", "tasks, values measured: of the open array"],
  ["x", "select the job, or not (a click with Ctrl does so, too)"],
  ["c", "cancel the job, or the selected ones (asks first)"],
  ["r", "retry the job, or the selected ones (asks first)"],
  ["0 … 7", "all jobs, or those in one state"],
  [".", "dark or light"],
  ["?", "this page"],
];

function Keys() {
  if (!keysShown.value) return null;
  const close = () => (keysShown.value = false);
  return html`<${Modal} label="Keys" close=${close}>
    <h2>Keys</h2>
    <dl class="keys">${KEYS.map(([keys, what]) => html`<div key=${keys}>
      <dt>${keys.split("  ").map((one) => html`<kbd>${one}</kbd> `)}</dt><dd>${what}</dd></div>`)}</dl>
    <div class="buttons"><button class="primary" data-first=${true} onClick=${close}>Close</button></div><//>`;
}

/** The browser's own dialog: it keeps the focus inside and gives it back. Without `close` it stays. */
export function Modal({ label, close, children }) {
  const element = useRef(null);
  const show = () => {
    element.current.showModal();
    element.current.querySelector("[data-first=true]").focus({ preventScroll: true });
  };
  useEffect(() => {
    const before = document.activeElement;
    show();
    return () => before?.focus?.({ preventScroll: true });
  }, []);
  // a browser may close it all the same, without asking, at a second Esc
  return html`<dialog ref=${element} aria-label=${label} onClose=${close ?? show}
    onCancel=${(event) => (event.preventDefault(), close?.())}>${children}</dialog>`;
}
