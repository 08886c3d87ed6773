"""ps, show, logs, files: what there is to see."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Union

import typer

from solveyard.cli import selectors, talk, units, words
from solveyard.cli.here import Json, Selectors, here
from solveyard.cli.selectors import Selection
from solveyard.client import output
from solveyard.client.sync import Client
from solveyard.model import reading
from solveyard.model.errors import InvalidRequest, UnknownJob
from solveyard.model.jobs import FINAL, JobState
from solveyard.model.records import JobRecord

if TYPE_CHECKING:
    from solveyard.cli.archive import Archive

Source = Union[Client, "Archive"]
Selector = Annotated[str, typer.Argument(help="A name, a number, last, or sweep[3].")]
UNFINISHED = tuple(state for state in JobState if state not in FINAL)
MOST_FAILED = 20  #: tasks that `show` tells about
TAIL = 1 << 16  #: bytes that are read first for `--tail`


def ps(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Ended jobs, too.")] = False,
    state: Annotated[
        list[str] | None, typer.Option(help="In this state; may be repeated, or have commas.")
    ] = None,
    name: Annotated[str, typer.Option(help="Of this name.")] = "",
    tag: Annotated[str, typer.Option(help="With this label.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most; 0: no limit.")] = 0,
    as_json: Json = False,
) -> int:
    """List jobs, newest first.

    Those that have not ended; with --all, --name or --state, others, too.
    """
    asked = _states(state or [])
    states = asked or (() if every or name else UNFINISHED)
    with here(context).reading() as source:
        if source is None:
            jobs: list[JobRecord] = []
            numbers: dict[str, int] = {}
        else:
            most = limit if 0 < limit <= 1000 else None
            found = source.jobs(states=states, name=name or None, tag=tag or None, limit=most)
            jobs = found.jobs[:limit] if limit else found.jobs
            numbers = {} if as_json else source.queue()
    if as_json:
        talk.answer_json(jobs)
        return 0
    if jobs:
        talk.answer_table(words.HEADER, [words.row(job) for job in jobs])
    talk.say(words.counts(numbers) + ("" if every or jobs else " (solveyard ps --all lists all)"))
    return 0


def show(context: typer.Context, selector: Selectors, as_json: Json = False) -> int:
    """Tell everything about jobs.

    Why they wait, how they ended, how that is known, what to do next.
    """
    place = here(context)
    with place.reading() as source:
        chosen = _selected(source, selector)
        if as_json:
            talk.answer_json(chosen.jobs[0] if chosen.one else chosen.jobs)
        for index, job in enumerate(() if as_json else chosen.jobs):
            told = words.details(job, place.options, _failed(source, job))
            talk.answer(f"\n{told}" if index else told)
    return 0


def logs(
    context: typer.Context,
    selector: Selector,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
    ] = False,
    errors: Annotated[bool, typer.Option("--err", help="Standard error instead.")] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", min=0, help="The last lines only.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="An earlier attempt's; with -f until that has ended.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Print a job's output.

    What there is of it now, or with -f also what comes.
    """
    stream = "stderr" if errors else "stdout"
    with here(context).reading() as source:
        job = _one(source, selector)
        if source is None:
            return 0
        _check_speaks(source, job, attempt)
        key, offset, first = words.exact(job), 0, attempt
        if tail is not None:
            offset, first = _tail(source, key, stream, tail, attempt)
        if follow:
            pieces = source.follow_log(
                key, stream, offset=offset, attempt=first, only=attempt is not None
            )
        else:
            pieces = output.so_far(source, key, stream, offset, first)
        if as_json:
            text = b"".join(pieces).decode(errors="replace")
            talk.answer_json({"id": job.id, "number": job.number, "stream": stream, "text": text})
            return 0
        for piece in pieces:
            talk.answer_bytes(piece)
    return 0


def files(
    context: typer.Context,
    selector: Selector,
    path: Annotated[str, typer.Argument(help="Print this file instead of a list.")] = "",
    save: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Save it as.")
    ] = None,
    as_json: Json = False,
) -> int:
    """List a job's files, or print one."""
    if save is not None and not path:
        raise InvalidRequest("--output needs the path of the file to save")
    with here(context).reading() as source:
        job = _one(source, selector)
        if source is None:
            return 0
        if not path:
            _list_files(source, words.exact(job), as_json)
            return 0
        pieces = source.read_file(words.exact(job), path)
        if save is not None:
            size = _save(pieces, save)
            if as_json:
                talk.answer_json({"path": path, "size": size, "saved": str(save.absolute())})
            else:
                talk.say(f"saved {save} ({units.size(size)})")
        elif as_json:
            talk.answer_json(_content(path, b"".join(pieces)))
        else:
            for piece in pieces:
                talk.answer_bytes(piece)
    return 0


def _failed(source: Source | None, job: JobRecord) -> list[JobRecord]:
    """Some of its tasks that failed."""
    if source is None or job.tasks is None or not job.tasks.failed:
        return []
    return source.tasks(job.number, (JobState.FAILED,), MOST_FAILED, 0)


def _selected(source: Source | None, words_: list[str]) -> Selection:
    if source is None:
        raise UnknownJob("there is no job yet (submit one: solveyard submit -- COMMAND)")
    return selectors.select(source, words_)


def _one(source: Source | None, word: str) -> JobRecord:
    if source is None:
        raise UnknownJob("there is no job yet (submit one: solveyard submit -- COMMAND)")
    return selectors.one(source, word)


def _states(given: list[str]) -> tuple[JobState, ...]:
    chosen = [word.strip() for text in given for word in text.split(",") if word.strip()]
    for word in chosen:
        if word not in set(JobState):
            hint = reading.nearest(word, JobState) or f" (there is: {', '.join(JobState)})"
            raise InvalidRequest(f"there is no state {word!r}{hint}")
    return tuple(JobState(word) for word in chosen)


def _check_speaks(source: Source, job: JobRecord, attempt: int | None) -> None:
    """Raises InvalidRequest for an array, which has no output of its own, only its tasks have;
    UnknownJob where there is no such attempt.
    """
    if job.tasks is not None:
        some = source.tasks(job.number, (JobState.FAILED,) if job.tasks.failed else (), 1, 0)
        hint = "".join(f", e.g. {task.id}" for task in some)
        raise InvalidRequest(f"{job.id} is an array: name one of its tasks{hint}")
    had = len(job.attempts)
    if attempt is not None and attempt > max(1, had):
        raise UnknownJob(f"job {job.id} has no attempt {attempt} (it has {had})")


def _tail(
    source: Source, key: str, stream: str, lines: int, attempt: int | None
) -> tuple[int, int]:
    """Where the last `lines` lines begin, and of which attempt that is."""
    wanted = TAIL
    while True:
        part = source.log(key, stream, offset=-wanted, limit=wanted, attempt=attempt)
        content, end, attempt = part.content, part.next_offset, part.attempt
        if not lines or not content:
            return end, attempt
        body = content.removesuffix(b"\n")
        if body.count(b"\n") >= lines:
            last = body.rsplit(b"\n", lines)[1:]
            return end - len(b"\n".join(last)) - (len(content) - len(body)), attempt
        if len(content) == end or wanted >= 1 << 24:
            return end - len(content), attempt
        wanted *= 4


def _list_files(source: Source, key: str, as_json: bool) -> None:
    page = source.file_page(key)
    entries = page.files
    while page.cursor is not None:
        page = source.file_page(key, page.cursor)
        entries += page.files
    if as_json:
        talk.answer_json([entry._asdict() for entry in entries])
    elif entries:
        rows = [(entry.path, units.size(entry.size)) for entry in entries]
        talk.answer_table(("PATH", "SIZE"), rows)
    elif not page.unread:
        talk.say("note: its folder holds no files")
    if page.unread:
        talk.say(f"note: there may be more files, which could not be looked at: {page.unread}")


def _save(pieces: Iterator[bytes], place: Path) -> int:
    """Returns the number of bytes."""
    size = 0
    try:
        with place.open("wb") as file:
            for piece in pieces:
                size += file.write(piece)
    except OSError as error:
        raise InvalidRequest(f"cannot write {place}: {error.strerror}") from error
    return size


def _content(path: str, content: bytes) -> dict[str, object]:
    try:
        return {"path": path, "size": len(content), "text": content.decode()}
    except UnicodeDecodeError:
        import base64

        return {"path": path, "size": len(content), "base64": base64.b64encode(content).decode()}
