"""From what backends report to what the engine takes: an end is judged by its solver first."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from solveyard.backends.base import RawEnd, Report
from solveyard.backends.here import Brief, LocalWorkspace, TooMuch
from solveyard.backends.workspace import Workspace
from solveyard.manager.judging import Case
from solveyard.manager.written import Earlier
from solveyard.model.errors import StoreError
from solveyard.model.jobs import Attempt, AttemptId, Job
from solveyard.model.messages import Ended, Message
from solveyard.pauses import Glances, Pauses
from solveyard.store.filesystems import on_network
from solveyard.workers import Workers

log = logging.getLogger(__name__)

_MOMENT = 0.5  #: s for which the folder of a job's end is believed to be the same
#: What the loop reads by itself, which saves two changes of threads: entries of folders, bytes.
_ENTRIES, _BYTES = 64, 4096


class Reporting(Protocol):
    """Of a backend what is needed here."""

    def observations(self) -> AsyncIterator[Sequence[Report]]: ...

    def forget_stranger(self, attempt: AttemptId) -> None: ...


class _Folder:
    """Where jobs end, known for a moment: where links lead is looked up once."""

    def __init__(self, workspace: LocalWorkspace) -> None:
        self.workspace = workspace
        self.until = time.monotonic() + _MOMENT
        self.ends = 0  #: that were judged there
        self.near: bool | None = (
            None  #: on a disk of this machine, with little in it; None: unknown
        )

    def look(self) -> None:
        """Whether it is near, where that will be of use. Blocking."""
        if self.near is None and self.ends > 1:
            self.near = not on_network(self.workspace.root)


class Verdicts:
    """Its methods belong to the manager's loop; files are read in threads of its own."""

    def __init__(
        self,
        find: Callable[[AttemptId], tuple[Job, Attempt] | None],
        place: Callable[[Job], Workspace | None],
        here: Callable[[Job], LocalWorkspace],
        output: Callable[[Job, int], tuple[str, str]],
        tell: Callable[[Message], None],
    ) -> None:
        """`find`: an attempt and its job; `place`: where a job's results are, if not here;
        `here`: where it runs; `output`: of one of its attempts; `tell`: the engine.
        """
        self._find, self._place, self._workspace = find, place, here
        self._output, self._tell = output, tell
        self._folder = _Folder(LocalWorkspace(Path()))
        self._glances = Glances()
        self._earlier = Earlier()
        self._judges = Workers("judge", 2)  # a large log keeps nobody from reading the store

    async def listen(self, backend: Reporting) -> None:
        """Until cancelled."""
        pauses = Pauses()
        async for reports in backend.observations():
            for report in reports:
                self._take(report, backend)
                await pauses.due()

    def close(self) -> None:
        self._judges.close()

    def _take(self, report: Report, backend: Reporting) -> None:
        if not isinstance(report, RawEnd):
            self._tell(report)
            return
        try:
            found = self._find(report.attempt)
        except StoreError:  # its machine keeps it, and says it again
            log.exception("an end not taken in", extra={"attempt": report.attempt})
            return
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
        streams = self._output(job, int(report.attempt.rpartition(".")[2]))
        elsewhere = self._place(job)
        if elsewhere is not None:
            self._judges.post(lambda: self._read(case, elsewhere, streams, report), self._tell)
            return
        folder = self._here(self._workspace(job))
        if folder.near and case.plain and self._glances.may_be:
            ended = self._at_once(case, folder, streams, report)
            if ended is not None:
                self._tell(ended)
                return
            case = Case(job)  # the first has read some of it

        def judged() -> Ended:
            ended = self._read(case, folder.workspace, streams, report)
            folder.look()
            return ended

        self._judges.post(judged, self._tell)

    def _at_once(
        self, case: Case, folder: _Folder, streams: tuple[str, str], report: RawEnd
    ) -> Ended | None:
        """None: it would take long."""
        try:
            with self._glances.one():
                brief = Brief(folder.workspace, _ENTRIES, _BYTES)
                return self._read(case, brief, streams, report)
        except TooMuch:
            folder.near = False
            return None

    def _here(self, workspace: LocalWorkspace) -> _Folder:
        if not workspace.same(self._folder.workspace) or time.monotonic() > self._folder.until:
            self._folder = _Folder(workspace)
        self._folder.ends += 1
        return self._folder

    def _read(
        self, case: Case, workspace: Workspace, streams: tuple[str, str], report: RawEnd
    ) -> Ended:
        """From any thread."""
        since = report.started_at if report.since is None else report.since
        try:
            old = partial(self._earlier.old, report.attempt)
            case.read(workspace, streams, since or 0.0, report.exit.outputs, old)
        except TooMuch:
            raise
        except Exception:  # its end must be told, whatever is wrong with its files
            log.exception("evidence not read", extra={"attempt": report.attempt})
        return _judged(case, report)


def _judged(case: Case, report: RawEnd) -> Ended:
    return Ended(
        attempt=report.attempt,
        outcome=case.verdict(report.exit),
        usage=report.exit.usage,
        native_id=report.native_id,
        started_at=report.started_at,
    )
