"""What a new spawner makes of the ledger that a dead one left."""

from __future__ import annotations

import time
from typing import Dict, List

from solveyard.agent.ledger import Ledger, Record
from solveyard.agent.platform.base import Platform
from solveyard.agent.runs import Runs


def recover(ledger: Ledger, runs: Runs, platform: Platform, boot_id: str, who: str) -> None:
    """Watch what still runs; end, as lost, what nobody can know any more.

    `who`: the spawner, as the evidence names it.
    """
    doubtful = []
    for attempt, entry in list(ledger.entries.items()):
        accepted = entry.accepted
        if entry.ended is not None:
            continue
        if accepted is None or accepted["boot"] != boot_id:  # power may take the first line alone
            when = "while it ran" if entry.started else "before it started, or as it did"
            runs.never(attempt, lost="the machine rebooted {}".format(when))
        elif entry.started is None:
            doubtful.append(accepted)
        else:
            runs.adopt(accepted, entry.started, _unobserved(who, entry.started["pid"]))
    if doubtful:
        _settle(doubtful, runs, platform, who)


def _unobserved(who: str, pid: int) -> str:
    return "the exit status of process {} was not observed: {} died while it ran".format(pid, who)


def _settle(doubtful: List[Record], runs: Runs, platform: Platform, who: str) -> None:
    """Accepted, but no start written: not yet. Their marks and groups tell whether they run."""
    rows = platform.table()
    marked: Dict[str, List[int]] = {}
    for pid, attempt in platform.marks(rows).items():
        marked.setdefault(attempt, []).append(pid)
    for record in doubtful:
        attempt = record["attempt"]
        found = set(marked.get(attempt, ()))
        if record["folder"]:
            found |= platform.contained(record["folder"])
        living = [pid for pid in found if pid in rows and not rows[pid].dead]
        if not living:
            runs.never(
                attempt,
                lost="{} died as it started it, and no process carries its mark: whether it ran"
                " is not known".format(who),
            )
            continue
        first = min(living, key=lambda pid: (rows[pid].session != pid, rows[pid].start, pid))
        age = platform.age(rows[first].start)
        started = {
            "attempt": attempt,
            "pid": first,
            "start": "{0}:{0}".format(rows[first].start),
            "at": time.time() - age,
            "began": time.monotonic() - age,
        }
        runs.found(record, started, _unobserved(who, first))
