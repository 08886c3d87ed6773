"""Ends on their way to the engine: what is small and near is judged at once, the rest aside."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from solveyard import pauses
from solveyard.backends.base import RawEnd, Report
from solveyard.backends.here import LocalWorkspace
from solveyard.manager import verdicts
from solveyard.model import reading
from solveyard.model.jobs import Attempt, AttemptId, Job, JobId, JobState, Placement, Reason
from solveyard.model.messages import Ended, Message
from solveyard.model.resources import Allocation, Share
from solveyard.solvers.base import Exit, OutputFile

LOG = "b.aedb.batchinfo/b-j.log"
LINES = (
    "Starting Batch Run: 09:00:00 AM  Nov 26, 2026\n"
    "[info] Project:b : Normal completion of simulation on server: localhost."
    " (09:00:00 AM  Nov 26, 2026)\n"
)
END = "Stopping Batch Run: 09:00:00 AM  Nov 26, 2026\n"
ENDS = 5


class Project:
    """A solved project; as a backend it tells so some times, each time once the last is judged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[Message] = []
        self.at_once: list[bool] = []  #: of each end: was it judged before the loop went on?
        self.bundle = 0  #: so many more, all at once
        self.attempts = False  #: is each one of another attempt?
        self._news = asyncio.Event()
        (folder / LOG).parent.mkdir(parents=True)
        (folder / LOG).write_text(LINES + END)
        (folder / "b.aedtresults").mkdir()
        (folder / "b.aedtresults" / "solved").touch()

    async def observations(self) -> AsyncIterator[Sequence[Report]]:
        log = OutputFile(path=LOG, size=1, fresh=True)
        end = RawEnd(AttemptId(f"{'0' * 32}.0.1.1"), Exit(code=0, outputs=(log,)), "7", 1.0)
        for number in range(1, ENDS + 1):
            self._news.clear()
            if self.attempts:
                end = end._replace(attempt=AttemptId(f"{'0' * 32}.0.1.{number}"))
            yield [end]
            self.at_once.append(len(self.told) == number)
            await self._news.wait()
        if self.bundle:
            yield [end] * self.bundle

    def forget_stranger(self, attempt: AttemptId) -> None:
        raise AssertionError(attempt)

    def tell(self, message: Message) -> None:
        self.told.append(message)
        self._news.set()

    async def judged(self) -> list[Reason]:
        """Of each end."""
        options = {"project_path": f"{self.folder}/b.aedb", "jobid": "j", "ansys_edt_path": "/a"}
        spec = reading.spec(msgspec.json.encode({"solver": "hfss", "options": options}))
        job = Job(
            id=JobId(1), spec=spec, owner="me", submitted_at=0.0, arrival=1, priority=0,
            state=JobState.RUNNING,
        )  # fmt: skip
        given = Allocation(shares=(Share(node="m", cores=1),))
        placement = Placement(machine="m", slot=0, allocation=given)
        judges = verdicts.Verdicts(
            lambda attempt: (job, Attempt(id=attempt, placement=placement, placed_at=1.0)),
            lambda job: None,
            lambda job: LocalWorkspace(self.folder),
            lambda job, attempt: (f"{self.folder}/1.out", f"{self.folder}/1.err"),
            self.tell,
        )
        try:
            await judges.listen(self)
        finally:
            judges.close()
        return [one.outcome.reason for one in self.told if isinstance(one, Ended)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(verdicts, "_MOMENT", 1e9)
    monkeypatch.setattr(pauses, "QUICK", 1e9)
    monkeypatch.setattr(verdicts, "on_network", lambda folder: False)
    return Project(tmp_path / "project")


async def test_once_a_folder_is_known_to_be_near_its_small_ends_are_judged_at_once(
    project: Project,
) -> None:
    assert await project.judged() == [Reason.SUCCESS] * ENDS
    assert project.at_once == [False, False, True, True, True]


async def test_results_are_those_of_the_attempt_that_left_them_alone(project: Project) -> None:
    project.attempts = True
    os.utime(project.folder / "b.aedtresults" / "solved", (4e9, 4e9))  # newer than any start
    assert await project.judged() == [Reason.SUCCESS] + [Reason.NO_OUTPUT] * (ENDS - 1)
    assert project.at_once[-1]


async def test_a_network_file_system_never_holds_up_the_loop(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "on_network", lambda folder: True)
    assert await project.judged() == [Reason.SUCCESS] * ENDS
    assert project.at_once == [False] * ENDS


async def test_a_disk_that_was_slow_is_left_to_the_threads(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "QUICK", -1.0)
    monkeypatch.setattr(pauses, "REST", 1e9)
    assert await project.judged() == [Reason.SUCCESS] * ENDS
    assert project.at_once == [False, False, True, False, False]


async def test_a_long_log_is_read_in_a_thread_and_judged_the_same(project: Project) -> None:
    filler = "[info] Project:b : nothing to tell (09:00:00 AM  Nov 26, 2026)\n" * 100
    (project.folder / LOG).write_text(LINES + filler + END)
    assert await project.judged() == [Reason.SUCCESS] * ENDS
    assert project.at_once == [False] * ENDS


async def test_a_folder_with_much_in_it_is_listed_in_a_thread(project: Project) -> None:
    for number in range(100):
        (project.folder / "b.aedtresults" / f"{number}").mkdir()
    assert await project.judged() == [Reason.SUCCESS] * ENDS
    assert project.at_once == [False] * ENDS


async def test_a_link_is_followed_in_a_thread_since_it_may_lead_to_another_disk(
    project: Project, tmp_path: Path
) -> None:
    (project.folder / "b.aedtresults").rename(tmp_path / "elsewhere")
    (project.folder / "b.aedtresults").symlink_to(tmp_path / "elsewhere")
    assert await project.judged() == [Reason.SUCCESS] * ENDS
    assert project.at_once == [False] * ENDS


async def test_a_bundle_of_ends_lets_others_go_on(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "SHORT", -1.0)
    project.bundle = 50
    others: list[int] = []

    async def another() -> None:
        while True:
            others.append(len(project.told))
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        going = tasks.create_task(another())
        assert await project.judged() == [Reason.SUCCESS] * (ENDS + 50)
        going.cancel()
    assert {*range(ENDS + 1, ENDS + 50)} <= {*others}
