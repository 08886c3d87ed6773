"""From what backends report to what the engine takes: an end is judged by its solver first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Protocol

from solveyard.backends.base import RawEnd, Report
from solveyard.backends.workspace import LocalWorkspace, Workspace
from solveyard.judging import Case
from solveyard.model.jobs import Attempt, AttemptId, Job
from solveyard.model.messages import Ended, Message
from solveyard.workers import Workers


class Reporting(Protocol):
    """Of a backend what is needed here."""

    def observations(self) -> AsyncIterator[Sequence[Report]]: ...

    def forget_stranger(self, attempt: AttemptId) -> None: ...


class Verdicts:
    """Its methods belong to the manager's loop; files are read in threads of its own."""

    def __init__(
        self,
        find: Callable[[AttemptId], tuple[Job, Attempt] | None],
        place: Callable[[Job], Workspace | None],
        directory: Callable[[Job], str],
        output: Callable[[Job, int], tuple[str, str]],
        tell: Callable[[Message], None],
    ) -> None:
        """`find`: an attempt and its job; `place`: where a job's results are, if not here;
        `directory`: where it runs; `output`: of one of its attempts; `tell`: the engine.
        """
        self._find, self._place, self._directory = find, place, directory
        self._output, self._tell = output, tell
        self._judges = Workers("judge", 2)  # a large log keeps nobody from reading the store

    async def listen(self, backend: Reporting) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as judging:
            async for reports in backend.observations():
                for report in reports:
                    self._take(report, backend, judging)

    def close(self) -> None:
        self._judges.close()

    def _take(self, report: Report, backend: Reporting, judging: asyncio.TaskGroup) -> None:
        if not isinstance(report, RawEnd):
            self._tell(report)
            return
        found = self._find(report.attempt)
        if found is None:
            backend.forget_stranger(report.attempt)
            return
        job, attempt = found
        case = Case(job) if attempt.live else None
        if case is not None and case.wants:
            judging.create_task(self._judge(case, job, report))
        else:
            self._tell(_judged(case or Case(job), report))

    async def _judge(self, case: Case, job: Job, report: RawEnd) -> None:
        workspace = self._place(job) or LocalWorkspace(Path(self._directory(job)))
        streams = self._output(job, int(report.attempt.rpartition(".")[2]))

        def judged() -> Ended:
            case.read(workspace, streams, report.started_at or 0.0)
            return _judged(case, report)

        self._tell(await self._judges.call(judged))


def _judged(case: Case, report: RawEnd) -> Ended:
    return Ended(
        attempt=report.attempt,
        outcome=case.verdict(report.exit),
        usage=report.exit.usage,
        native_id=report.native_id,
        started_at=report.started_at,
    )
