"""From what backends report to what the engine takes: an end is judged by its solver first."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Protocol

from solveyard.backends.base import RawEnd, Report
from solveyard.backends.workspace import LocalWorkspace, Workspace
from solveyard.judging import Case
from solveyard.model.jobs import Attempt, AttemptId, Job
from solveyard.model.messages import Ended, Message
from solveyard.workers import Workers

log = logging.getLogger(__name__)

_MOMENT = 0.5  #: s for which the folder of a job's end is believed to be the same


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
        self._last_directory, self._last_until = "", 0.0
        self._last = LocalWorkspace(Path())
        self._judges = Workers("judge", 2)  # a large log keeps nobody from reading the store

    async def listen(self, backend: Reporting) -> None:
        """Until cancelled."""
        async for reports in backend.observations():
            for report in reports:
                self._take(report, backend)

    def close(self) -> None:
        self._judges.close()

    def _take(self, report: Report, backend: Reporting) -> None:
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
            self._judge(case, job, report)
        else:
            self._tell(_judged(case or Case(job), report))

    def _judge(self, case: Case, job: Job, report: RawEnd) -> None:
        workspace = self._place(job) or self._here(self._directory(job))
        streams = self._output(job, int(report.attempt.rpartition(".")[2]))

        def judged() -> Ended:
            try:
                case.read(workspace, streams, report.started_at or 0.0, report.exit.outputs)
            except Exception:  # its end must be told, whatever is wrong with its files
                log.exception("evidence not read", extra={"attempt": report.attempt})
            return _judged(case, report)

        self._judges.post(judged, self._tell)

    def _here(self, directory: str) -> LocalWorkspace:
        """That of a job that ended there a moment ago: where links lead is looked up once."""
        now = time.monotonic()
        if directory != self._last_directory or now > self._last_until:
            self._last_directory, self._last_until = directory, now + _MOMENT
            self._last = LocalWorkspace(Path(directory))
        return self._last


def _judged(case: Case, report: RawEnd) -> Ended:
    return Ended(
        attempt=report.attempt,
        outcome=case.verdict(report.exit),
        usage=report.exit.usage,
        native_id=report.native_id,
        started_at=report.started_at,
    )
