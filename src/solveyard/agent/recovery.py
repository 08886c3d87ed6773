"""What a new spawner makes of the ledger that a dead one left."""

from __future__ import annotations

import time
from typing import Dict, List

from solveyard.agent.ledger import Entry, Ledger, Record
from solveyard.agent.platform.base import Platform
from solveyard.agent.runs import Runs


def recover(ledger: Ledger, runs: Runs, platform: Platform, boot_id: str, who: str) -> None:
    """Watch what still runs; end, as lost, what nobody can know any more, and what another agent
    runs, of whose store this is a copy: nothing of that is touched.

    `who`: the spawner, as the evidence names it.
    """
    doubtful = []
    original = ledger.original
    for attempt, entry in list(ledger.entries.items()):
        accepted = entry.accepted
        if entry.ended is not None:
            continue
        if accepted is None or accepted["boot"] != boot_id:  # power may take the first line alone
            when = "while it ran" if entry.started else "before it started, or as it did"
            runs.never(attempt, lost="the machine rebooted {}".format(when))
        elif original or _is_anothers(entry, ledger, platform):
            runs.never(attempt, lost=_copied(original))
        elif entry.started is None:
            doubtful.append(accepted)
        else:
            runs.adopt(accepted, entry.started, _unobserved(who, entry.started["pid"]))
    if doubtful:
        _settle(doubtful, runs, platform, who)
    ledger.keep()


def _is_anothers(entry: Entry, ledger: Ledger, platform: Platform) -> bool:
    """By its mark alone: the ledger doesn't say whose it was. A command may have lost that."""
    started = entry.started
    return started is not None and ledger.keeper is None and platform.is_anothers(started["pid"])


def _copied(original: str) -> str:
    where = " (in {})".format(original) if original else ""
    return (
        "this store is a copy of another one, whose agent{} started it or was about to: whether it"
        " runs and how it ends is known there".format(where)
    )


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
