"""Each dialect's own calls, run as they are: a real Slurm, and stand-ins for the others."""

import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from batchsystems.sites import Site, StandIn
from conftest import until
from solveyard import registry
from solveyard.backends.dialects import record
from solveyard.backends.dialects.base import (
    Accepted,
    Answer,
    BatchJob,
    Call,
    Dialect,
    Done,
    NativeState,
    Refused,
    Run,
    State,
    Unreadable,
)
from solveyard.model.batch import BatchOptions
from unit.backends.dialects import examples

SITES = ("slurm", "pbs", "lsf", "lsf-open", "winhpc")


class Spoken:
    """A dialect, spoken to a site."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.dialect: Dialect = registry.dialects()[site.dialect]
        self.folder = folder
        self.store = uuid.uuid4().hex

    def run(self, call: Call) -> Answer:
        done = subprocess.run(
            call.argv, input=call.stdin, capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, **self.site.environment, "LC_ALL": "C"}, cwd=self.folder,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def job(self, *texts: str, **more: Any) -> BatchJob:
        runs = tuple(
            Run(
                attempt=f"{self.store}.1.{position}.1",
                argv=("sh", "-c", text),
                directory=str(self.folder),
                stdout=f"{self.folder}/{position}.out",
                stderr=f"{self.folder}/{position}.err",
                record=f"{self.folder}/{position}.record",
            )
            for position, text in enumerate(texts)
        )
        return BatchJob(name="spoken", runs=runs, array=len(runs) > 1, **more)

    def submit(self, job: BatchJob) -> str:
        path = self.folder / f"script.{self.dialect.ending}"
        path.write_text(self.dialect.script(job), newline="")
        told = self.dialect.submitted(self.run(self.dialect.submit(job, str(path))))
        assert isinstance(told, Accepted), told
        return told.native_id

    def states(self, *ids: str) -> Mapping[str, NativeState]:
        told = self.dialect.queried(self.run(self.dialect.query(ids)))
        assert not isinstance(told, Unreadable), told
        return told

    def state(self, native_id: str) -> NativeState | None:
        return self.states(native_id).get(native_id)

    def reached(self, native_id: str, *wanted: State) -> None:
        def so() -> bool:
            state = self.state(native_id)
            return state is not None and state.state in wanted

        until(so, f"{native_id} is {wanted}")

    def do(self, call: Call | None) -> None:
        assert call is not None
        assert self.dialect.acted(self.run(call)) == Done()


@pytest.fixture
def spoken(site: Site, tmp_path: Path) -> Iterator[Spoken]:
    one = Spoken(site, tmp_path)
    yield one
    told = one.dialect.found(one.run(one.dialect.find([])))
    ids = [] if isinstance(told, Unreadable) else told.get(f"{one.store}.1.0.1", [])
    for native_id in ids:
        one.run(one.dialect.cancel([native_id]))


def ended(spoken: Spoken, position: int) -> record.Record | None:
    try:
        told = record.read((spoken.folder / f"{position}.record").read_text(), 0.0)
    except FileNotFoundError:
        return None
    return told if not isinstance(told, Unreadable) and told.code is not None else None


def test_a_job_is_found_by_its_mark_and_ends_with_its_record(spoken: Spoken) -> None:
    go = spoken.folder / "go"
    native_id = spoken.submit(spoken.job(f"until [ -e {go} ]; do sleep 0.1; done; exit 5"))
    spoken.reached(native_id, State.RUNNING)
    mark = f"{spoken.store}.1.0.1"
    found = spoken.dialect.found(spoken.run(spoken.dialect.find([mark])))
    assert not isinstance(found, Unreadable)
    assert found[mark] == [native_id]
    go.touch()
    until(lambda: ended(spoken, 0) is not None, "it has ended")
    told = ended(spoken, 0)
    assert told is not None
    assert (told.attempt, told.native_id, told.code) == (mark, native_id, 5)


def test_what_it_never_had_it_does_not_know(spoken: Spoken) -> None:
    assert "999999" not in spoken.states("999999")
    assert spoken.dialect.found(spoken.run(spoken.dialect.find([]))) is not None


def test_an_array_keeps_its_limit_and_each_member_is_one_of_its_own(spoken: Spoken) -> None:
    if not spoken.dialect.arrays:
        pytest.skip(f"{spoken.site.name} is given no arrays")
    marks = spoken.folder / "marks"
    texts = [f"echo + >> {marks}; sleep 0.3; echo - >> {marks}; exit {n}" for n in range(4)]
    native_id = spoken.submit(spoken.job(*texts, at_once=2))
    until(lambda: all(ended(spoken, n) for n in range(4)), "all have ended")
    told = [ended(spoken, n) for n in range(4)]
    assert [one.code for one in told if one] == [0, 1, 2, 3]
    members = [spoken.dialect.member(native_id, n) for n in range(4)]
    assert [one.native_id for one in told if one] == members
    at_once = most = 0
    for sign in marks.read_text().split():
        at_once += 1 if sign == "+" else -1
        most = max(most, at_once)
    assert most == 2


def test_an_array_of_one_is_one(spoken: Spoken) -> None:
    if not spoken.dialect.arrays:
        pytest.skip(f"{spoken.site.name} is given no arrays")
    job = spoken.job("exit 6")._replace(array=True)
    native_id = spoken.submit(job)
    until(lambda: ended(spoken, 0) is not None, "it has ended")
    told = ended(spoken, 0)
    assert told is not None
    assert (told.code, told.native_id) == (6, spoken.dialect.member(native_id, 0))


def test_a_waiting_job_is_held_released_and_preferred(spoken: Spoken) -> None:
    dialect = spoken.dialect
    later = BatchOptions(**spoken.site.later)
    native_id = spoken.submit(spoken.job("true", options=later))
    spoken.reached(native_id, State.PENDING)
    if dialect.hold([native_id]) is None:
        assert dialect.release([native_id]) is None
    else:
        spoken.do(dialect.hold([native_id]))
        spoken.reached(native_id, State.HELD)
        spoken.do(dialect.release([native_id]))
        spoken.reached(native_id, State.PENDING)
    call = dialect.prioritize([native_id], 7)
    assert call is not None
    told = dialect.acted(spoken.run(call))
    if not spoken.site.takes_all:
        assert told == Refused("Job priority control undefined. Job not modified.")
    else:
        assert told == Done()
    spoken.do(dialect.cancel([native_id]))
    until(lambda: (s := spoken.state(native_id)) is None or s.state.over, "it is cancelled")


def test_a_signal_reaches_the_command(spoken: Spoken) -> None:
    heard = spoken.folder / "heard"
    native_id = spoken.submit(
        spoken.job(f"trap 'touch {heard}; exit 0' USR1; touch {heard}.ready; sleep 600 & wait")
    )
    call = spoken.dialect.signal([native_id], "USR1")
    if call is None:
        assert spoken.site.dialect == "winhpc"
        spoken.do(spoken.dialect.cancel([native_id]))
        return
    until((spoken.folder / "heard.ready").exists, "it listens")
    spoken.do(call)
    until(heard.exists, "it has heard it")
    spoken.run(spoken.dialect.cancel([native_id]))


def test_what_is_wrong_with_a_wish_is_told_in_its_words(spoken: Spoken) -> None:
    dialect = spoken.dialect
    job = spoken.job("true", options=BatchOptions(queue="nosuch"))
    path = spoken.folder / f"script.{dialect.ending}"
    path.write_text(dialect.script(job), newline="")
    told = dialect.submitted(spoken.run(dialect.submit(job, str(path))))
    assert isinstance(told, Refused)
    assert spoken.site.refusal in told.words
    acted = dialect.acted(spoken.run(dialect.cancel(["999999"])))
    assert isinstance(acted, Done if spoken.site.dialect == "slurm" else Refused), acted


def test_every_wish_that_it_has_a_word_for_is_taken(site: Site, tmp_path: Path) -> None:
    """By those that stand in: a real one has accounts, licences and queues of its own."""
    if not isinstance(site, StandIn) or not site.takes_all:
        pytest.skip(f"{site.name} has not all of them")
    spoken = Spoken(site, tmp_path)
    site.there.set(
        queues=[*site.there.knows().queues, "debug"],
        cores=16,
        resources=["hfss", "anshpc"],
        licences={"hfss": 4, "anshpc": 8},
    )
    job = examples.full(site.dialect)
    if site.dialect != "winhpc":
        assert spoken.submit(job)
        return
    call = spoken.dialect.submit(job, "C:\\data\\job.cmd")
    assert isinstance(spoken.dialect.submitted(spoken.run(call)), Accepted)
