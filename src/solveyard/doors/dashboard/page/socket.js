// Hears over Socket.IO that something happened. What it was, feed.js asks for by its number.
import { signal } from "./html.js";
import { io } from "../vendor/socket.io.js";

const TRIES = [1000, 5000, 20_000, 60_000]; // ms from one try to the next; the last one goes on

export const hears = signal(false); // news come by themselves

let known = 0; // number of the last event that need not be told
let tries = 0;
let tryAt = 0; // ms

const socket = io(`${location.origin}/v1`, {
  path: new URL("socket.io/", location.href).pathname,
  transports: ["websocket"], // where these don't get through, feed.js asks each second
  reconnection: false, // after a look that succeeded it is worth a try, not before
  autoConnect: false,
});

let began = () => {};

/** `news(number)`: the events up to that one happened. `progress`: how far a running job is.
 *  `begun()`: they are heard from now on; `lost()`: nothing is heard any more. */
export function listen({ news, progress, lost, begun }) {
  began = begun;
  socket.on("job_progress", progress);
  socket.on("events", (events) => news(events.at(-1).number));
  socket.on("disconnect", () => {
    hears.value = false;
    lost();
  });
}

/** Be told what comes after event number `after`, unless that is so already. */
export function hear(after) {
  known = after;
  if (hears.value) return;
  if (socket.connected) subscribe();
  else if (Date.now() >= tryAt) {
    tryAt = Date.now() + TRIES[Math.min(tries, TRIES.length - 1)];
    tries += 1;
    socket.connect();
  }
}

/** Until `hear` is called again. */
export function close() {
  socket.disconnect();
  tries = tryAt = 0;
}

/** Refused where the store has been changed for another; the next look finds that out. */
function subscribe() {
  socket.emit("subscribe", { rooms: ["all"], after: known }, ({ success }) => {
    hears.value = success && socket.connected;
    if (!success) return;
    tries = 0;
    began();
  });
}

socket.on("connect", subscribe);
