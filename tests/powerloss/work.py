"""What is done to a store and to a ledger while it's recorded; the same each time.

    python work.py store FOLDER [network | PRAGMA]
    python work.py ledger FOLDER
    python work.py tokens FOLDER

After each step a line goes to the file `acknowledged`: so much somebody was told.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from solveyard.agent import ledger as ledgers
from solveyard.agent.ledger import Ledger, Record
from solveyard.core.engine import Engine
from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import JobId, JobSpec, Limits, Outcome, Reason, Removed, Usage
from solveyard.model.jobs import Record as Kept
from solveyard.model.messages import (
    AgentJoined,
    AnyEvent,
    Cancel,
    Ended,
    JobEvent,
    Launch,
    Message,
    Remove,
    SetLimits,
    SpawnerJoined,
    Started,
    Submit,
)
from solveyard.model.resources import Resources
from solveyard.store import database
from solveyard.store.sqlite import SqliteStore
from solveyard.tokens import Tokens

ACKNOWLEDGED = "acknowledged"
LEDGER = "ledger"
STORE = "home/store"  #: made together, as for somebody's first manager
TOKENS = "tokens"


class Commit(NamedTuple):
    events: list[AnyEvent]
    records: list[Kept]


def commits() -> Iterator[Commit]:
    """A small campaign, as an engine has it."""
    engine = Engine("u")
    nodes = {"a": Resources(cores=2, memory=100)}
    messages: list[Message] = [
        AgentJoined(machine="m", nodes=nodes, boot_id="b"),
        SpawnerJoined(machine="m", spawner=0, boot_id="b", ledger="l"),
        SetLimits(limits=Limits(max_concurrent=2)),
    ]
    for number in range(12):
        array = ArraySpec(stop=3) if number % 4 == 3 else None
        specs = [JobSpec(solver="x", name=f"job{number}", note="n" * 700, array=array)]
        specs += [JobSpec(solver="x", note="m" * 300 * number)] * (number % 3)
        messages.append(Submit(specs=tuple(specs), key=f"k{number}"))
    messages += [Cancel(job=JobId(4)), Remove(job=JobId(4))]
    now = 100.0
    while messages:
        now += 1.0
        step = engine.handle(messages.pop(0), now)
        for action in step.actions:
            if isinstance(action, Launch):
                success = Outcome(reason=Reason.SUCCESS, message="well" * 50)
                ended = Ended(attempt=action.attempt, outcome=success, usage=Usage(wall=2.0))
                messages += [Started(attempt=action.attempt, native_id="1", at=now), ended]
        touched = {event.job for event in step.events if isinstance(event, JobEvent)}
        records: list[Kept] = [engine.limits, engine.counter]
        records += [engine.jobs.get(job) or Removed(id=job) for job in sorted(touched)]
        yield Commit(step.events, records)


def ledger_steps() -> Iterator[tuple[str, str, Record]]:
    """Kind, attempt and record of each thing that a ledger is told."""
    for number in range(60):
        attempt = f"u.{number}.0.1"
        yield "A", attempt, {"attempt": attempt, "boot": "b", "limit": None, "cwd": "/" * number}
        if number % 7:
            yield "S", attempt, {"attempt": attempt, "pid": number, "at": 1.5}
        if number % 3:
            yield "E", attempt, {"attempt": attempt, "t": "ended", "code": number}
        if number > 1:
            yield "F", f"u.{number - 2}.0.1", {}


def keep_store(folder: Path, how: str) -> None:
    """`how`: as on a network file system, with a rollback journal; or with another pragma."""
    if how == "network":
        database.on_network = lambda folder: True
    elif how:
        promise = database._promise

        def careless(sqlite: database.sqlite3.Connection, *, shared: bool) -> None:
            promise(sqlite, shared=shared)
            sqlite.execute(f"PRAGMA {how}").fetchone()

        database._promise = careless
    store = SqliteStore.open(folder / STORE)
    with _told(folder) as tell:
        for number, commit in enumerate(commits(), 1):
            store.commit(commit.events, commit.records)
            tell(f"{number} {store.uuid}")
            if number % 9 == 0:
                store.checkpoint()
            if number in {20, 40}:
                store.close()
                store = SqliteStore.open(folder / STORE)
    store.close()


def keep_ledger(folder: Path) -> None:
    ledgers.LIMIT = 3000  # so that it is rewritten
    ledger = Ledger(str(folder / LEDGER))
    with _told(folder) as tell:
        for number, (kind, attempt, record) in enumerate(ledger_steps()):
            if kind == "A":
                ledger.accept(attempt, {key: record[key] for key in record if key != "attempt"})
            elif kind == "S":
                ledger.started(attempt, record)
            elif kind == "E":
                ledger.ended(attempt, record)
            else:
                ledger.forget([attempt])
            ledger.flush()
            tell(f"{number} {ledger.id}")
    ledger.close()


def token_steps() -> Iterator[tuple[str, str]]:
    """Which token is made, and which is revoked."""
    for number in range(20):
        yield "made", f"t{number}"
        if number % 3 == 2:
            yield "revoked", f"t{number - 1}"


def keep_tokens(folder: Path) -> None:
    tokens = Tokens(folder / TOKENS)
    with _told(folder) as tell:
        for number, (what, name) in enumerate(token_steps(), 1):
            if what == "made":
                tokens.create(name)
            else:
                tokens.revoke(name)
            tell(f"{number} {what}")


@contextmanager
def _told(folder: Path) -> Iterator["_Tell"]:
    file = os.open(folder / ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield _Tell(file)
    os.close(file)


class _Tell:
    def __init__(self, file: int) -> None:
        self._file = file

    def __call__(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())


if __name__ == "__main__":
    what, where, *how = sys.argv[1:]
    if what == "store":
        keep_store(Path(where), *(how or [""]))
    elif what == "tokens":
        keep_tokens(Path(where))
    else:
        keep_ledger(Path(where))
