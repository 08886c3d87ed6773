// Requests to the manager, by addresses relative to the page: it may live below any path.

const PATIENCE = 15_000; // ms, from one part of an answer to the next

/** The manager refused; `message` is its own sentence. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Ask, and have the response, all of it. Throws Refused, or another Error when nobody answers. */
export async function ask(path, { method = "GET", body, headers = {}, signal, patience = PATIENCE } = {}) {
  const silence = new AbortController();
  let timer = null;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), patience);
  };
  heard();
  let response;
  try {
    const begun = await fetch(path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      cache: "no-store",
    });
    response = await whole(begun, heard);
  } catch (error) {
    throw signal?.aborted ? error : new Error("the manager does not answer", { cause: error });
  } finally {
    clearTimeout(timer);
  }
  if (!response.ok) throw new Refused(response.status, await reason(response));
  return response;
}

/** Over a thin line it takes its time; each part that comes is `heard`. */
async function whole(response, heard) {
  if (!response.body) return response;
  const parts = [];
  const reader = response.body.getReader();
  for (let next; !(next = await reader.read()).done; heard()) parts.push(next.value);
  return new Response(new Blob(parts), response);
}

/** Ask, and have the JSON. */
export async function get(path, options) {
  return (await ask(path, options)).json();
}

/** By which the manager finds a job or a task, whatever others are called: "#17", "#17[3]". */
export function keyOf({ number, task }) {
  return task == null ? `#${number}` : `#${number}[${task}]`;
}

/** The address of a job, and of what belongs to it: `ofJob("#17", "files", "out.s1p")`. */
export function ofJob(key, ...parts) {
  const words = parts.flatMap((part) => part.split("/"));
  return ["jobs", key, ...words].map(encodeURIComponent).join("/");
}

async function reason(response) {
  try {
    return (await response.json()).error ?? response.statusText;
  } catch {
    return `${response.status} ${response.statusText}`; // a proxy's own page
  }
}
