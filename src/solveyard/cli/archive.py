"""A store's jobs read from its files, while no manager runs: as they were last recorded."""

import getpass
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Self

from solveyard.backends.workspace import LocalWorkspace
from solveyard.client.calls import PIECE, FileEntry, Listing, LogPart
from solveyard.model import records
from solveyard.model.errors import InvalidRequest, ManagerUnavailable, UnknownJob
from solveyard.model.jobs import Job, JobId, JobState
from solveyard.model.records import JobRecord
from solveyard.places import StorePlaces
from solveyard.store.base import Filter
from solveyard.store.sqlite import SqliteStore

PAGE = 1000


class Archive:
    """Answers as a client does, but nothing in it moves. Changes nothing in the store."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreError when there is no store in `folder`, or it can't be read."""
        self._store = SqliteStore.open(folder, read_only=True)
        self._places = StorePlaces(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def job(self, key: str | int) -> JobRecord:
        return self._record(self._found(key))

    def jobs(
        self,
        states: Collection[JobState] = (),
        name: str | None = None,
        owner: str | None = None,
        tag: str | None = None,
        limit: int | None = 50,
    ) -> Listing:
        which = Filter(states=frozenset(states) or None, name=name, owner=owner, tag=tag)
        page = self._store.page(which, limit or PAGE)
        jobs = page.jobs
        while limit is None and page.cursor is not None:
            page = self._store.page(which, PAGE, page.cursor)
            jobs += page.jobs
        return Listing([self._record(job) for job in jobs], page.total, page.cursor)

    def tasks(
        self,
        job: str | int,
        states: Collection[JobState] = (),
        limit: int = 50,
        offset: int = 0,
    ) -> list[JobRecord]:
        """Raises ManagerUnavailable: what an array's tasks come to is a manager's to say."""
        raise ManagerUnavailable(f"no manager runs to tell of {job} (start one: solveyard serve)")

    def who(self) -> str:
        """The account that asks."""
        return getpass.getuser()

    def queue(self) -> dict[str, int]:
        counts = self._store.counts()
        return {state.value: counts.get(state, 0) for state in JobState}

    def log(
        self,
        key: str | int,
        stream: str = "stdout",
        *,
        offset: int = 0,
        limit: int = PIECE,
        attempt: int | None = None,
    ) -> LogPart:
        job = self._found(key)
        number = attempt if attempt is not None else max(1, len(job.attempts))
        if attempt is not None and not 1 <= attempt <= len(job.attempts):
            raise UnknownJob(f"job {job.id} has no attempt {attempt} (it has {len(job.attempts)})")
        path = Path(self._places.output(job.id, number)[stream == "stderr"])
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                start = file.seek(max(0, size + offset) if offset < 0 else offset)
                content = file.read(limit)
        except FileNotFoundError:
            content, start, size = b"", 0, 0
        return LogPart(content, start + len(content), size, number, True)

    def follow_log(
        self, key: str | int, stream: str = "stdout", *, offset: int = 0
    ) -> Iterator[bytes]:
        """All that there is: nothing more will come while no manager runs."""
        while content := self.log(key, stream, offset=offset).content:
            yield content
            offset += len(content)

    def files(self, key: str | int) -> list[FileEntry]:
        return [FileEntry(*entry) for entry in self._workspace(key).list()]

    def read_file(self, key: str | int, path: str) -> Iterator[bytes]:
        workspace, offset = self._workspace(key), 0
        if workspace.stat(path) is None:
            raise InvalidRequest(f"the job has no file {path!r}")
        while piece := workspace.read(path, offset, PIECE):
            yield piece
            offset += len(piece)

    def _found(self, key: str | int) -> Job:
        named = self._store.page(Filter(name=str(key)), 1).jobs
        if named:
            return named[0]
        number = int(key) if str(key).isdecimal() and len(str(key)) < 19 else 0
        job = self._store.job(JobId(number))
        if job is None:
            raise UnknownJob(f"there is no job {key!r}")
        return job

    def _record(self, job: Job) -> JobRecord:
        folder = str(self._places.job_folder(job.id))
        waiting = "" if job.state.final else "no manager runs"
        return records.record(job, time.time(), waiting=waiting, directory=folder)

    def _workspace(self, key: str | int) -> LocalWorkspace:
        job = self._found(key)
        return LocalWorkspace(Path(job.directory or self._places.job_folder(job.id)))
