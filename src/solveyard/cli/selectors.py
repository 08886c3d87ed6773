"""Which jobs a word on the command line means.

A unique name (looked up first), a number (`#7` where a job may be called 7), `last` (the newest), a
list with ranges `3,5-9`, `all`, and tasks of an array: `sweep[3]`, `7[3,5-9]`, `last[0]`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from solveyard.cli.words import exact
from solveyard.client.replies import Listing
from solveyard.model import reading
from solveyard.model.errors import InvalidRequest, UnknownJob
from solveyard.model.jobs import JobState
from solveyard.model.records import JobRecord

NAMES = 1000  #: of the newest jobs, from which the nearest are suggested
TASKS = 1000  #: of an array that are asked for at once
_TASKS = re.compile(r".+\[[^\[\]]*\]")
_COMMA = re.compile(r",(?![^\[]*\])")  #: outside brackets
_RANGE = re.compile(r"(\d{1,18})-(\d{1,18})")


class Jobs(Protocol):
    """Where jobs are looked up: a client, or the store's own archive."""

    def job(self, key: str | int) -> JobRecord: ...

    def jobs(
        self,
        states: Collection[JobState] = ...,
        name: str | None = ...,
        owner: str | None = ...,
        tag: str | None = ...,
        limit: int | None = ...,
    ) -> Listing: ...

    def tasks(
        self,
        job: str | int,
        states: Collection[JobState] = ...,
        limit: int = ...,
        offset: int = ...,
    ) -> list[JobRecord]: ...


class Selection(NamedTuple):
    jobs: list[JobRecord]  #: each once, in the order asked for
    one: bool  #: one word that means one job: `7`, `last`, a name


def select(
    where: Jobs,
    words: Sequence[str],
    states: Collection[JobState] = (),
    only: Callable[[JobRecord], bool] = lambda _: True,
) -> Selection:
    """The jobs that `words` mean; `all`: those in `states` (none given: in any), and of `only`.

    Raises UnknownJob, with the nearest names; InvalidRequest when nothing was selected at all.
    """
    found: dict[tuple[int, int | None], JobRecord] = {}
    parts = [part for word in words for part in _parts(where, word)]
    for part in parts:
        found |= {(job.number, job.task): job for job in _one_part(where, part, states, only)}
    one = len(parts) == len(found) == 1 and parts[0] != "all" and not _RANGE.fullmatch(parts[0])
    return Selection(list(found.values()), one)


def one(where: Jobs, word: str) -> JobRecord:
    """Raises InvalidRequest where `word` means several."""
    jobs = select(where, [word]).jobs
    if len(jobs) != 1:
        raise InvalidRequest(f"{word!r} selects {len(jobs)} jobs; name one")
    return jobs[0]


def meant(where: Jobs, word: str) -> str:
    """As a manager finds it: of one job, or of tasks, which stay as they were typed."""
    if _TASKS.fullmatch(word):
        return _numbered(where, word)
    found = one(where, word)
    return word if word in {found.id, str(found.number)} else exact(found)


def _parts(where: Jobs, word: str) -> list[str]:
    """A name may not hold a comma, but PyEDB's door takes any: the whole is looked up first."""
    if "," not in word:
        return [word]
    if _known(where, word) is not None:
        return [word]
    parts = [part.strip() for part in _COMMA.split(word)]
    if not all(parts):
        raise InvalidRequest(f"{word!r} selects nothing between two commas (e.g. 3,5-9)")
    return parts


def _one_part(
    where: Jobs,
    part: str,
    states: Collection[JobState],
    only: Callable[[JobRecord], bool],
) -> Iterable[JobRecord]:
    if not part:
        raise InvalidRequest("an empty word selects no job (a name, a number, last, 3,5-9 or all)")
    named = _known(where, part)
    if named is not None:
        return [named]
    if _TASKS.fullmatch(part):
        return all_tasks(where, _numbered(where, part))
    if part == "all":
        return filter(only, reversed(where.jobs(states=states, limit=None).jobs))
    if part == "last":
        return [_newest(where)]
    if match := _RANGE.fullmatch(part):
        first, last = int(match[1]), int(match[2])
        jobs = where.jobs(limit=None).jobs
        within = [job for job in reversed(jobs) if first <= job.number <= last]
        if not within:
            raise UnknownJob(f"there is no job from {first} to {last}")
        return within
    names = [job.id for job in where.jobs(limit=NAMES).jobs]
    hint = reading.nearest(part, names) or " (solveyard ps --all lists them)"
    raise UnknownJob(f"there is no job {part!r}{hint}")


def _numbered(where: Jobs, tasks: str) -> str:
    """ "last[3]" by its job's number; other tasks as they are."""
    word, _, indices = tasks.partition("[")
    if word != "last" or _known(where, word) is not None:
        return tasks
    return f"{exact(_newest(where))}[{indices}"


def _newest(where: Jobs) -> JobRecord:
    newest = where.jobs(limit=1).jobs
    if not newest:
        raise UnknownJob("there is no job yet (submit one: solveyard submit -- COMMAND)")
    return newest[0]


def _known(where: Jobs, key: str) -> JobRecord | None:
    try:
        return where.job(key)
    except InvalidRequest:  # no such job, or some tasks
        return None


def all_tasks(
    where: Jobs, key: str | int, states: Collection[JobState] = ()
) -> Iterator[JobRecord]:
    """Of an array, or those that a key such as "sweep[3,5-9]" names; by index."""
    offset = 0
    while some := where.tasks(key, states, TASKS, offset):
        yield from some
        offset += len(some)
