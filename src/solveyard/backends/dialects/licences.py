"""Licences that a batch system doesn't count: the part of a job's script that asks their server."""

import re
from collections.abc import Callable, Sequence

from solveyard.backends.dialects.base import Server

_PAUSE = 5  #: s between two questions

#: Reads what `lmutil lmstat -a` prints. Exit status 0: as many seats are free as are wanted.
_FREE = r"""
BEGIN {
  n = split(want, all, " ")
  for (i = 1; i <= n; i++) { split(all[i], one, "="); need[one[1]] = one[2] }
}
function told(what,  words) {
  if (!match($0, "Total of [0-9]+ licen[sc]es? " what)) return -1
  split(substr($0, RSTART, RLENGTH), words, " ")
  return words[3] + 0
}
/^[ \t]*Users of / {
  name = $3; sub(/:.*/, "", name)
  issued = told("issued"); used = told("in use")
  if (issued >= 0 && used >= 0) free[name] += issued - used
}
END { for (name in need) if (free[name] + 0 < need[name] + 0) exit 1 }
"""

#: The job's own PATH, which may be all its own, finds the command.
_ASK = r"""
solveyard_stage=asking
solveyard_own=$PATH
PATH=${PATH:+$PATH:}$solveyard_path
for solveyard_word in awk date sleep; do
  command -v "$solveyard_word" >/dev/null || {
    echo "$solveyard_attempt: there is no $solveyard_word on its node to ask for licences" >&2
    exit 127
  }
done
solveyard_stage=licence
solveyard_asks=
solveyard_want=WANT
solveyard_since=$(date +%s)
until (eval COMMAND) </dev/null 2>/dev/null | awk -v want="$solveyard_want" FREE; do
  if [ -z "$solveyard_asks" ]; then
    solveyard_asks=yes
    solveyard_tell ",\"stage\":\"licence\"" >>"$solveyard_record"
  elif [ "$(($(date +%s) - solveyard_since))" -ge LONG ]; then
    echo "$solveyard_attempt: no licence within LONG s: $solveyard_want" >&2
    exit 125
  fi
  sleep PAUSE &
  wait "$!"
done
PATH=$solveyard_own
solveyard_tell ",\"stage\":\"command\"" >>"$solveyard_record"
"""


def ask(server: Server, wanted: Sequence[tuple[str, int]], word: Callable[[str], str]) -> str:
    """Shell text that goes on once all of `wanted` is free; `word` quotes."""
    parts = {
        "COMMAND": word(server.command),
        "WANT": word(" ".join(f"{feature}={seats}" for feature, seats in wanted)),
        "FREE": word(_FREE.strip("\n")),
        "LONG": str(round(server.wait)),
        "PAUSE": str(_PAUSE),
    }
    return re.sub("|".join(parts), lambda place: parts[place[0]], _ASK.strip("\n"))
