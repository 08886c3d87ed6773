"""Power is lost at every moment, with whatever a file system may lose then.

The real store and the real ledger run in a process whose writes and syncs are recorded; from the
record, what may be on the disk after a loss is put together, and opened again.
SOLVEYARD_EXAMPLES multiplies the number of losses.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from powerloss import loss, work
from solveyard.agent.ledger import Ledger
from solveyard.model.errors import StoreError
from solveyard.store.base import State
from solveyard.store.memory import MemoryStore
from solveyard.store.sqlite import SqliteStore
from solveyard.tokens import Tokens

LOSSES = int(400 * float(os.environ.get("SOLVEYARD_EXAMPLES", "1")))
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = loss.recorder(tmp_path_factory.mktemp("recorder"))
    if found is None:
        pytest.skip("there is no C compiler, or no LD_PRELOAD")
    return found


def record(library: Path, folder: Path, *what: str) -> list[loss.Change]:
    """Have it done, and read what was done."""
    (place := folder / "recorded").mkdir()
    trace = folder / "trace"
    env = {
        "LD_PRELOAD": str(library),
        "POWERLOSS_FOLDER": str(place),
        "POWERLOSS_TRACE": str(trace),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *sys.path]),
    }
    script = Path(work.__file__)
    subprocess.run(
        [sys.executable, script, what[0], place, *what[1:]], env={**os.environ, **env}, check=True
    )
    return loss.read(trace)


class Loss:
    """One folder after a loss, and the last thing that was acknowledged before it."""

    def __init__(self, folder: Path, acknowledged: tuple[int, str] | None) -> None:
        self.folder = folder
        self.number, self.id = acknowledged or (0, "")


def losses(changes: list[loss.Change], folder: Path, seed: int) -> Iterator[Loss]:
    """Power is lost after each change in turn, until there were enough losses."""
    draw = random.Random(seed)
    rounds = max(1, LOSSES // len(changes))
    every = max(1, len(changes) * rounds // LOSSES)
    disk, told = loss.Disk(), None
    for number, change in enumerate(changes):
        if change.name == work.ACKNOWLEDGED:
            if change.kind == "W":
                words = change.data.decode().split()
                told = (int(words[0]), words[1])
            continue
        disk.do(change)
        for again in range(rounds if number % every == 0 else 0):
            (place := folder / f"{number}.{again}").mkdir()
            loss.put(disk.after_a_loss(draw), place)
            yield Loss(place, told)


def states() -> list[State]:
    """What a store holds after each commit."""
    store = MemoryStore()
    found = [store.load()]
    for commit in work.commits():
        store.commit(commit.events, commit.records)
        found.append(store.load())
    return found


@pytest.mark.parametrize("how", ["", "network"])
def test_nothing_acknowledged_is_missing_from_the_store(
    library: Path, tmp_path: Path, how: str
) -> None:
    changes = record(library, tmp_path, "store", how)
    assert {"W", "S", "D", "M"} <= {change.kind for change in changes}
    expected, checked = states(), 0
    for one in losses(changes, tmp_path, 1):
        store = SqliteStore.open(one.folder / work.STORE)
        found = store.load()
        assert found in expected[one.number :], f"{one.folder.name}: {one.number} acknowledged"
        assert store.uuid == (one.id or store.uuid)
        store.close()
        checked += 1
    assert checked >= LOSSES // 2


def test_a_store_that_does_not_sync_is_found_out(library: Path, tmp_path: Path) -> None:
    changes = record(library, tmp_path, "store", "synchronous = OFF")
    expected, missing = states(), 0
    for one in losses(changes, tmp_path, 2):
        try:
            store = SqliteStore.open(one.folder / work.STORE)
            missing += store.load() not in expected[one.number :]
            store.close()
        except (StoreError, LookupError, TypeError):  # what is read isn't what was written
            missing += 1
    assert missing


def test_what_was_said_of_a_token_holds(library: Path, tmp_path: Path) -> None:
    changes = record(library, tmp_path, "tokens")
    names: set[str] = set()
    expected = [set(names)]
    for _, name in work.token_steps():
        names ^= {name}
        expected.append(set(names))
    for one in losses(changes, tmp_path, 4):
        found = {token.name for token in Tokens(one.folder / work.TOKENS).all()}
        assert found in expected[one.number :], f"{one.folder.name}: {one.number} acknowledged"


def test_a_ledger_that_lost_its_end_says_nothing_that_was_not_so(
    library: Path, tmp_path: Path
) -> None:
    """It opens, it holds whole records alone, and it goes on being written."""
    changes = record(library, tmp_path, "ledger")
    assert any(change.kind == "R" for change in changes)
    told = {(kind, attempt): record for kind, attempt, record in work.ledger_steps()}
    for one in losses(changes, tmp_path, 3):
        path = str(one.folder / work.LEDGER)
        ledger = Ledger(path)
        for attempt, entry in ledger.entries.items():
            found = [("A", entry.accepted), ("S", entry.started), ("E", entry.ended)]
            for kind, held in found:
                assert held is None or held == told[kind, attempt]
        known = {*ledger.entries, "new"}
        ledger.accept("new", {"boot": "c", "limit": None})
        ledger.close()
        again = Ledger(path)
        assert (again.id, {*again.entries}) == (ledger.id, known)
        again.close()
