"""What a batch job's script tells, time and again, of its command's processes.

It is for those who wonder whether a job does something, and is told only of jobs that they watch.
"""

import re
from typing import NamedTuple

#: Lines for one file, which only grows: "7.5 3 9211", see `Alive`.
_LINE = re.compile(r"([0-9.]+) ([0-9]+) ([0-9]+)")

#: $1 is the command's process, $2 the time between two lines. It sleeps little at a time, so that
#: nothing is left for long of one that is ended. ps tells CPU as [dd-]hh:mm:ss.
WATCH = r"""
solveyard_watch() {
  trap '' USR1 USR2
  solveyard_naps=0
  exec </dev/null >>"${solveyard_record%.record}.alive" 2>/dev/null
  PATH=$solveyard_path
  LC_ALL=C
  export LC_ALL
  while kill -0 "$1"; do
    sleep 1
    solveyard_naps=$((solveyard_naps + 1))
    [ $((solveyard_naps % $2)) -eq 0 ] || continue
    ps -A -o pid= -o ppid= -o time= |
      awk -v root="$1" '
        { up[$1] = $2; n = split($3, t, /[-:]/)
          cpu[$1] = t[n] + 60 * t[n - 1] + 3600 * t[n - 2] + (n > 3 ? 86400 * t[1] : 0) }
        END { for (one in up) {
            at = one
            for (i = 0; i < 999 && at != root && at in up; i++) at = up[at]
            if (at == root) { used += cpu[one]; many++; sum += one } }
          if (many) print used + 0, many, sum }'
  done
}
"""


class Alive(NamedTuple):
    """Of a command and all that it started."""

    cpu: float  #: s, of those that are there
    processes: int
    ids: int  #: their sum: another one, where others are there


def every(after: float) -> int:
    """s between two lines, for who wants to know whether nothing moves for `after` s."""
    return round(min(15.0, max(1.0, after / 20)))


def read(text: str) -> Alive | None:
    """The last whole line; None: there is none."""
    lines = text.rpartition("\n")[0].rpartition("\n")
    found = _LINE.fullmatch(lines[2])
    return None if found is None else Alive(float(found[1]), int(found[2]), int(found[3]))
