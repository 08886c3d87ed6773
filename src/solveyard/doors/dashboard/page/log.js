// A job's output: its end first, then what comes.
import { ask, keyOf, ofJob } from "./api.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { readable } from "./terminal.js";
import { bytes } from "./words.js";

const TAIL = 64 << 10; // bytes read first, and at each step backwards
const KEPT = 1 << 19; // bytes shown while following, and read at once
const LARGEST = 1 << 24; // bytes that one answer holds
const WAIT = 20; // s that the manager may wait for more
const PAUSE = 250; // ms between two readings
const LATER = 3000; // ms, after one that failed
const NOTHING = { content: new Uint8Array(), text: "", start: 0 }; // `start`: bytes before the content

export function Log({ job }) {
  const newest = job.attempts.length || 1;
  const [earlier, choose] = useState(null); // an attempt before the newest
  const [stream, setStream] = useState("stdout");
  const spoke = job.attempts.filter((one) => !one.withdrawn || one.number === newest);
  const attempt = earlier ?? newest;
  return html`<div class="log">
    <div class="bar-of-tools">
      <div role="group" aria-label="Stream" class="switch">
        ${["stdout", "stderr"].map((name) => html`<button key=${name}
          aria-pressed=${stream === name} onClick=${() => setStream(name)}>${name}</button>`)}
      </div>
      ${spoke.length > 1 && html`<label class="faint">Attempt <select value=${attempt}
        onChange=${({ target }) => choose(Number(target.value) === newest ? null : Number(target.value))}>
        ${spoke.toReversed().map(({ number, reason }) => html`<option key=${number} value=${number}
          >${[number, number === newest ? "the newest" : reason].filter(Boolean).join(", ")}</option>`)}</select></label>`}
    </div>
    <${Stream} key=${`${stream} ${attempt}`} job=${job} stream=${stream} attempt=${attempt} />
  </div>`;
}

function Stream({ job, stream, attempt }) {
  const [log, setLog] = useState({ ...NOTHING, size: 0, passed: 0, ended: false, trouble: "" });
  const [following, setFollowing] = useState(true);
  const reader = useRef({ goOn() {} }).current;
  Object.assign(reader, { following, full: log.content.length >= KEPT });
  const [reading, setReading] = useState(false); // what came earlier
  const pane = useRef(null);
  const output = `${ofJob(keyOf(job), "logs")}?stream=${stream}&attempt=${attempt}`;
  const address = (offset, wait) => `${output}&offset=${offset}&limit=${KEPT}&wait=${wait}`;

  useEffect(() => {
    const leaving = new AbortController();
    follow(address, leaving.signal, setLog, reader);
    return () => leaving.abort();
  }, []);
  useEffect(() => {
    if (following) reader.goOn();
  }, [following]);
  useLayoutEffect(() => {
    if (following) pane.current.scrollTop = pane.current.scrollHeight;
  }, [log.text, following]);

  const earlier = async () => {
    const seen = following ? 0 : null; // of what is shown its beginning, else what was looked at
    setFollowing(false);
    setReading(true);
    const from = Math.max(0, log.start - TAIL);
    try {
      const response = await ask(`${output}&offset=${from}&limit=${log.start - from}`);
      const content = new Uint8Array(await response.arrayBuffer());
      const left = from > 0 ? begunBefore(content) : 0;
      const { scrollHeight } = pane.current;
      setLog((now) => now.start !== log.start ? now : // more came, and pushed out what this joins
        shown({ ...now, start: from + left, trouble: "" }, joined(content.subarray(left), now.content)));
      requestAnimationFrame(() => {
        const { scrollTop, scrollHeight: grown } = pane.current;
        pane.current.scrollTop = (seen ?? scrollTop) + grown - scrollHeight;
      });
    } catch (error) {
      setLog((now) => ({ ...now, trouble: `cannot read it now: ${error.message}` }));
    }
    setReading(false);
  };
  const scrolled = ({ target }) =>
    setFollowing(target.scrollTop + target.clientHeight >= target.scrollHeight - 24);

  const whole = log.size <= LARGEST;
  const download = `${output}&offset=${whole ? 0 : -LARGEST}&limit=${LARGEST}`;
  const nothing = log.ended ? `nothing was written to ${stream}` : `nothing on ${stream} yet`;
  return html`
    ${log.start > 0 && html`<button class="earlier" disabled=${reading} onClick=${earlier}>
      Earlier output (${bytes(log.start)} before this)</button>`}
    <pre class="output" ref=${pane} tabindex="0" role="region" aria-label=${`${stream} of the job`}
      onScroll=${scrolled}>${readable(log.text)}</pre>
    <p class="foot faint">
      <span>${log.trouble || (log.size ? bytes(log.size) : nothing)}
        ${" · "}${log.ended ? "ended" : following ? "following" : "not following"}
        ${log.passed > 0 && ` · passed over ${bytes(log.passed)}`}</span>
      ${!log.ended && !following && html`<button onClick=${() => setFollowing(true)}>Follow</button>`}
      ${log.size > 0 && html`<a class="button" download=${attempt === (job.attempts.length || 1) ? `${job.id}.${stream}.txt` : `${job.id}.${attempt}.${stream}.txt`} href=${download}>
        ${whole ? "Download" : `Download its last ${bytes(LARGEST)}`}</a>`}
    </p>`;
}

/**
 * Read on until the attempt has ended and all of it is read, or `leaving`; not while nobody can see it, nor
 * beyond what is kept while the reader looks at what is there. Where more has come than is kept, on to its end.
 */
async function follow(address, leaving, setLog, reader) {
  let offset = -TAIL;
  let begin = null;
  let known = 0; // bytes of it all, when it was read last
  let behind = null; // where what is shown ends, when it goes on at the log's end
  let asking = new AbortController();
  let back = () => {};
  const turned = () => (document.hidden ? asking.abort() : back());
  document.addEventListener("visibilitychange", turned, { signal: leaving });
  while (!leaving.aborted) {
    let pause = PAUSE;
    if (reader.full && !reader.following) await new Promise((go) => (reader.goOn = go));
    if (document.hidden) await new Promise((go) => (back = go));
    asking = new AbortController();
    try {
      const response = await ask(address(offset, offset < 0 ? 0 : WAIT), {
        signal: AbortSignal.any([leaving, asking.signal]),
        patience: (WAIT + 10) * 1000,
      });
      const content = new Uint8Array(await response.arrayBuffer());
      const next = Number(response.headers.get("X-Next-Offset"));
      const size = Number(response.headers.get("X-Size"));
      if (size < known) { // it was cut, and is written anew
        [offset, begin, known, behind] = [0, null, 0, null];
        setLog((now) => ({ ...now, ...NOTHING, size, passed: 0 }));
        continue;
      }
      known = size;
      if (offset >= 0 && next < size && reader.following) {
        [offset, begin, behind] = [-TAIL, null, offset];
        continue;
      }
      const ended = response.headers.get("X-Ended") === "1" && next >= size;
      const from = next - content.length;
      const left = begin === null && from > 0 ? begunBefore(content) : 0;
      begin ??= from + left;
      const over = behind === null ? 0 : begin - behind;
      const { following } = reader;
      setLog((now) => {
        const before = over ? { ...now, ...NOTHING, passed: now.passed + over } : now;
        const start = before.content.length ? before.start : begin;
        return extended({ ...before, start, size, ended, trouble: "" }, content.subarray(left), following);
      });
      [offset, behind] = [next, null];
      if (ended) return;
      if (next < size) pause = 0;
    } catch (error) {
      if (leaving.aborted) return;
      if (asking.signal.aborted) continue; // nobody looked
      setLog((now) => ({ ...now, trouble: `cannot read it now: ${error.message}` }));
      pause = LATER;
    }
    await new Promise((go) => setTimeout(go, pause));
  }
}

function extended(log, more, following) {
  const content = joined(log.content, more);
  const excess = following ? content.length - KEPT : 0;
  if (excess <= 0) return shown(log, content);
  const line = content.indexOf(0x0a, excess) + 1;
  const cut = line && line < content.length ? line : excess + begunBefore(content.subarray(excess));
  return shown({ ...log, start: log.start + cut }, content.slice(cut));
}

/** With their text; the bytes are kept beside it, since in another encoding they are fewer than it would have. */
function shown(log, content) {
  return { ...log, content, text: new TextDecoder().decode(content, { stream: !log.ended }) };
}

function joined(first, second) {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** Bytes of a slice that belong to a character begun before it, in UTF-8: the earlier slice has them. */
function begunBefore(content) {
  let count = 0;
  while (count < 3 && (content[count] & 0xc0) === 0x80) count += 1;
  return count;
}
