// A job's output as a terminal would leave it.

// ECMA-48: a command with its parameters; a text for the terminal, which ends at its line's end at the latest, so that
// one that was cut hides no more; any other escape; the bell
const CONTROLS = [
  /\x1b\[[0-?]*[ -/]*[@-~]/,
  /\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?/,
  /\x1b[PX^_](?:[^\x1b]*\x1b\\|[^\x1b\n]*)/,
  /\x1b[ -/]*[0-OQ-WYZ\\`-~]/,
  /\x07/,
];
const CONTROL = new RegExp(CONTROLS.map(({ source }) => source).join("|"), "g");

/** No colours, and of an overwritten line the last state alone. */
export function readable(text) {
  const plain = text.replace(CONTROL, "");
  return /[\r\b]/.test(plain) ? plain.split("\n").map(lastState).join("\n") : plain;
}

function lastState(line) {
  let end = line.length;
  while (line[end - 1] === "\r") end -= 1;
  const last = line.slice(line.lastIndexOf("\r", end - 1) + 1, end);
  return last.includes("\b") ? overtyped(last) : last;
}

/** A backspace goes back by one letter, which the next one takes the place of. */
function overtyped(line) {
  const letters = [];
  let at = 0;
  for (const letter of line) {
    if (letter === "\b") at = Math.max(0, at - 1);
    else letters[at++] = letter;
  }
  return letters.join("");
}
