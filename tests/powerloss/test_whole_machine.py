"""A machine loses power with manager, agent, spawners and jobs on it, and comes back.

The real processes run under the recorder, one record for all; then, for some moments of it, the
store's folder is put together as it may be after a loss, and a manager starts on it after a reboot.
SOLVEYARD_EXAMPLES multiplies the number of losses.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from powerloss import loss
from powerloss.test_power_loss import library  # noqa: F401  # a fixture
from solveyard.model.jobs import JobSpec
from solveyard.model.policies import RetryPolicy

LOSSES = int(6 * float(os.environ.get("SOLVEYARD_EXAMPLES", "1")))
JOBS = 40
PATIENCE = 60.0  #: s for all to end, after a loss
SUBMITTED, ENDED = "submitted", "ended"  #: names in the record of what somebody was told
MARKS = "marks"


def job(number: int, marks: Path) -> JobSpec:
    """One that makes a folder each time that it starts; the folder has its attempt's name."""
    script = 'mktemp -d "$MARKS/$SOLVEYARD_ATTEMPT.XXXXXX" && sleep 0.0$((RANDOM % 5))'
    options = {"argv": ["sh", "-c", script.replace("$((RANDOM % 5))", str(number % 5))],
               "env": {"MARKS": str(marks)}}  # fmt: skip
    retry = RetryPolicy(tries=3) if number % 4 == 3 else None
    return JobSpec(
        solver="command",
        options=msgspec.Raw(msgspec.json.encode(options)),
        name=f"job{number}",
        retry=retry,
    )


class Known(NamedTuple):
    """What had happened at a moment of the record."""

    disk: loss.Disk
    submitted: list[str]
    ended: dict[str, str]  #: its attempt, of each job whose success was told
    begun: list[str]


def until_a_moment(changes: list[loss.Change], moment: int) -> Known:
    known = Known(loss.Disk(), [], {}, [])
    for change in changes[:moment]:
        if change.name == SUBMITTED:
            known.submitted.append(change.data.decode())
        elif change.name == ENDED:
            name, _, attempt = change.data.decode().partition(" ")
            known.ended[name] = attempt
        elif change.name.startswith(f"{MARKS}/"):
            known.begun.append(change.name.partition("/")[2])
        else:
            known.disk.do(change)
    return known


def record(yard: Any, trace: Path, marks: Path, until: Callable[..., None]) -> list[loss.Change]:
    """Have jobs run, and note what is told of them."""
    left: set[str] = set()
    submitted = 0

    def all_ended() -> bool:
        nonlocal submitted
        if submitted < JOBS:
            for each in yard.client.submit_many(
                [job(number, marks) for number in range(submitted, submitted + 4)]
            ):
                loss.told(trace, each.id, SUBMITTED)
                left.add(each.id)
            submitted += 4
        for each in yard.client.jobs(["completed"], limit=None).jobs:
            if each.id in left:
                left.discard(each.id)
                loss.told(trace, f"{each.id} {each.attempts[-1].id}", ENDED)
        return submitted == JOBS and not left

    until(all_ended, "all have ended")
    return loss.read(trace)


def test_a_machine_that_lost_power_forgets_nothing_and_starts_nothing_twice(
    library: Path,  # noqa: F811
    service: Callable[..., Any],
    until: Callable[..., None],
    tmp_path: Path,
) -> None:
    (marks := tmp_path / MARKS).mkdir()
    trace = tmp_path.with_name(f"{tmp_path.name}.trace")
    recorder = {
        "LD_PRELOAD": str(library),
        "POWERLOSS_FOLDER": str(tmp_path),
        "POWERLOSS_TRACE": str(trace),
    }
    trace.touch()
    yard = service("--cores", "2", environment={**recorder, "SOLVEYARD_BOOT_ID": "first"}).start()
    changes = record(yard, trace, marks, until)
    yard.clean_up()
    assert {"M", "D", "S", "R"} <= {change.kind for change in changes}
    told = [at for at, change in enumerate(changes) if change.name in {SUBMITTED, ENDED}]

    draw = random.Random(5)
    for number in range(LOSSES):
        known = until_a_moment(changes, draw.randrange(told[0], told[-1]))
        shutil.rmtree(yard.store)
        loss.put(known.disk.after_a_loss(draw), tmp_path)
        for mark in marks.iterdir():
            mark.rmdir()
        for mark in known.begun:
            (marks / mark).mkdir()
        again = service("--cores", "2", environment={"SOLVEYARD_BOOT_ID": f"later{number}"})
        again.start()
        found = {each.id: each for each in again.client.jobs(limit=None).jobs}
        assert not {*known.submitted} - {*found}
        again.client.wait([*found], PATIENCE)
        for each in again.client.jobs(limit=None).jobs:
            assert each.state.final, each
            if each.id in known.ended:
                attempts = [attempt.id for attempt in each.attempts]
                assert (each.state, attempts[-1]) == ("completed", known.ended[each.id])
            assert each.state == "completed" or each.reason == "lost", each
        starts = Counter(mark.name.rpartition(".")[0] for mark in marks.iterdir())
        assert {*starts.values()} == {1}
        again.clean_up()
