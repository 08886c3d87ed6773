"""A store's jobs read from its files, while no manager runs: as they were last recorded."""

import getpass
import sys
import time
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Self

from solveyard.backends import withheld
from solveyard.backends.here import LocalWorkspace
from solveyard.backends.workspace import named
from solveyard.client.calls import PIECE, exact
from solveyard.client.output import so_far
from solveyard.client.replies import FileEntry, FilePage, Listing, LogPart
from solveyard.core.arrays import counted
from solveyard.core.names import numbered
from solveyard.core.shelf import Shelf
from solveyard.manager import selecting
from solveyard.manager.ondisk import OnDisk
from solveyard.model import paths, records
from solveyard.model.errors import InvalidRequest, UnknownJob
from solveyard.model.ids import array_of, task_id
from solveyard.model.jobs import Job, JobId, JobState
from solveyard.model.overlaid import Overlaid
from solveyard.model.records import JobRecord
from solveyard.places import StorePlaces
from solveyard.results import overlay
from solveyard.results.overlay import Asked
from solveyard.results.table import Cell, Table, as_csv
from solveyard.solvers.hfss.shown import config as hfss_config
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
        """By index; raises InvalidRequest for what is no array."""
        ids = self._tasks(job)
        if ids is None:
            raise InvalidRequest(f"job {job} is no array, so it has no tasks")
        found = (self._look(one) for one in ids)
        fitting = (task for task in found if not states or task.state in states)
        return [self._record(task) for task in islice(fitting, offset, offset + limit)]

    def results(self, job: str | int) -> list[dict[str, Any]]:
        """The rows of its table, each with all columns."""
        columns, rows = self._table(job)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def results_csv(self, job: str | int) -> Iterator[bytes]:
        columns, rows = self._table(job)
        yield as_csv([columns])
        yield as_csv(rows)

    def overlay(
        self, job: str | int, s: str = "11", file: str = "", limit: int = 50, offset: int = 0
    ) -> list[Overlaid]:
        ids = self._tasks(job)
        found = (self._look(one) for one in (self._select(job) if ids is None else ids))
        asked = [Asked(one, self._workspace_of(one)) for one in found]
        return list(overlay.read(asked[offset : offset + limit], s, file))

    def who(self) -> str:
        """The account that asks."""
        return getpass.getuser()

    def queue(self) -> dict[str, int]:
        """Jobs and tasks, an array as its tasks, as a manager counts them."""
        states = OnDisk(self._store, self._store.load(ended=False)).tally.states
        return {state.value: states[state] for state in JobState}

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
        newest = max(1, len(job.attempts))
        number = newest if attempt is None else attempt
        if not 1 <= number <= newest:
            raise UnknownJob(f"job {job.id} has no attempt {attempt} (it has {len(job.attempts)})")
        path = Path(self._places.output(job.id, number)[stream == "stderr"])
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                start = min(size, max(0, size + offset) if offset < 0 else offset)
                file.seek(start)
                content = file.read(limit)
        except FileNotFoundError:
            content, start, size = b"", 0, 0
        return LogPart(content, start + len(content), size, number, True)

    def follow_log(
        self,
        key: str | int,
        stream: str = "stdout",
        *,
        offset: int = 0,
        attempt: int | None = None,
        only: bool = False,
    ) -> Iterator[bytes]:
        """All that there is: nothing more will come while no manager runs."""
        return so_far(self, key, stream, offset, attempt)

    def file_page(self, key: str | int, _cursor: str | None = None) -> FilePage:
        """All of them: the first page is the last."""
        found = self._workspace(key).page(sys.maxsize)
        files = [FileEntry(paths.spelt(one.path), one.size, one.modified) for one in found.files]
        return FilePage(files, found.total, None, paths.spelt(found.unread))

    def read_file(self, key: str | int, path: str) -> Iterator[bytes]:
        workspace, offset = self._workspace(key), 0
        found = named(workspace, path)
        if found is None:
            raise InvalidRequest(f"the job has no file {path!r}")
        while piece := workspace.read(found.path, offset, PIECE):
            yield piece
            offset += len(piece)

    def _found(self, key: str | int) -> Job:
        found = self._select(key)
        if len(found) != 1:
            raise InvalidRequest(f"{key!r} names {len(found)} tasks, where one is expected")
        return self._look(found[0])

    def _select(self, key: str | int) -> list[JobId]:
        text = exact(key)
        job = self._whole(text)
        whole = text.rpartition("[")[0] if text.endswith("]") else text
        if job is None and whole != text:
            job = self._whole(whole)
        if job is None:
            raise UnknownJob(f"there is no job {whole!r}")
        return selecting.select({job.id: job}, {job.spec.name: job.id}, text)

    def _whole(self, key: str) -> Job | None:
        """No task."""
        number = numbered(key)
        found = None if number is None else self._store.job(number)
        if found is not None and key.startswith("#"):
            return found
        named = self._store.page(Filter(name=key), 1).jobs if key else []
        return named[0] if named else found

    def _tasks(self, key: str | int) -> list[JobId] | None:
        """Those that `key` means; None: it is a job that has none."""
        ids = self._select(key)
        job = self._look(ids[0])
        if job.is_array:
            return self._tasks_of(job)
        return ids if array_of(job.id) is not None else None

    def _tasks_of(self, array: Job) -> list[JobId]:
        size = len(array.spec.array) if array.spec.array is not None else 0
        return [task_id(array.id, position) for position in range(size)]

    def _look(self, job_id: JobId) -> Job:
        array = array_of(job_id)
        if array is None:
            job = self._store.job(job_id)
        else:
            records = self._records(array)
            job = selecting.look(records, job_id, lambda _: None)
        if job is None:
            raise UnknownJob(f"there is no job {job_id}")
        return job

    @lru_cache(1)  # noqa: B019  # it lives as long as the command
    def _records(self, number: JobId) -> dict[JobId, Job]:
        """An array's, and those of its tasks that have one; none: there is no such array."""
        array = self._store.job(number)
        if array is None:
            return {}
        tasks = self._store.tasks(self._tasks_of(array), array.spec)
        return {job.id: job for job in (array, *tasks)}

    def _table(self, key: str | int) -> tuple[list[str], list[list[Cell]]]:
        ids = self._tasks(key)
        found = [self._look(one) for one in (self._select(key) if ids is None else ids)]
        shape = Table(found[0], tasks=ids is not None)
        shape.note(found)
        now = time.time()
        return shape.columns, [shape.row(job, now) for job in found]

    def _record(self, job: Job) -> JobRecord:
        folder = str(self._places.job_folder(job.id))
        waiting = "" if job.state.final else "a manager to run it: no manager runs"
        tasks = None
        if job.is_array:
            tasks = counted(job, self._records(job.id), Shelf())
        return records.record(
            job,
            time.time(),
            waiting=waiting,
            directory=folder,
            tasks=tasks,
            config=hfss_config(job.spec),
        )

    def _workspace(self, key: str | int) -> LocalWorkspace:
        return self._workspace_of(self._found(key))

    def _workspace_of(self, job: Job) -> LocalWorkspace:
        place = Path(job.directory or self._places.job_folder(job.id))
        return LocalWorkspace(place, job.bounds, withheld.Store(self._places.folder))
