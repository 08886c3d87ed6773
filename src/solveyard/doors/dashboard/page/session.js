// Who looks at the page: signing in with a token, and out.
import { ask, get } from "./api.js";
import { Modal, say } from "./dialogs.js";
import { connection, look, resume, view } from "./feed.js";
import { html, signal, useEffect, useState } from "./html.js";
import { person } from "./words.js";

const TOKEN = /^[\x21-\x7e]{1,1000}$/; // what a request's head takes

export const who = signal(null); // {name, owner, session: there is something to sign out of}

/** In the header: the name, and the way out. */
export function Session() {
  const { state } = connection.value;
  useEffect(() => {
    if (state === "locked") who.value = null;
    else if (state === "live") get("session").then((told) => (who.value = told), () => {});
  }, [state, view.value?.who]);
  if (!who.value) return null;
  const { name, owner, session } = who.value;
  const shown = person(name);
  const title = owner ? "The manager runs under this account" : `Signed in with the token ${shown}`;
  return html`<span class="who" title=${title}>${shown}</span>
    ${session && html`<button class="quiet" onClick=${signOut}>Sign out</button>`}`;
}

async function signOut() {
  try {
    await ask("session", { method: "DELETE" });
    who.value = null;
    await look();
    if (connection.peek().state === "live") who.value = await get("session"); // known without a token
  } catch (error) {
    say(`Could not sign out: ${error.message}`, "error");
  }
}

/** Asks for a token while the manager shows nothing without. */
export function SignIn() {
  const [token, setToken] = useState("");
  const [trouble, setTrouble] = useState("");
  const [busy, setBusy] = useState(false);
  if (connection.value.state !== "locked") return null;
  const send = async (event) => {
    event.preventDefault();
    const shown = token.trim();
    if (!TOKEN.test(shown)) return setTrouble("that is no token: it is too long, or has signs that no token has");
    setBusy(true);
    setTrouble("");
    try {
      const headers = { Authorization: `Bearer ${shown}` };
      await ask("session", { method: "POST", body: {}, headers });
      setToken("");
      await resume();
    } catch (error) {
      setTrouble(error.message);
    }
    setBusy(false);
  };
  return html`<${Modal} label="Sign in">
    <h2>Sign in</h2>
    <p>This manager shows its jobs to who has a token. One is made on its machine, by whoever runs it:</p>
    <pre class="line"><code>solveyard token create NAME</code></pre>
    <form onSubmit=${send}>
      <label class="field" for="token">Token</label>
      <input id="token" type="password" autocomplete="off" spellcheck="false" required data-first=${true}
        aria-describedby="token-trouble" value=${token} onInput=${(event) => setToken(event.target.value)} />
      <p id="token-trouble" class="trouble" role="alert">${trouble}</p>
      <p class="faint small">The token itself is not kept in this browser: a cookie stands for it until you sign out.</p>
      <div class="buttons"><button class="primary" disabled=${busy}>Sign in</button></div>
    </form><//>`;
}
