"""submit and run."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from solveyard.cli import acting, background, preview, shared, specs, talk, words
from solveyard.cli import options as o
from solveyard.cli.here import Here, Json, here
from solveyard.client.output import present
from solveyard.model.errors import InvalidRequest, ManagerUnavailable
from solveyard.model.jobs import JobSpec
from solveyard.model.records import JobRecord

GLANCE = 1.0  #: s between two looks at an array that is watched
_NAMED = 10  #: of the jobs that go on


@shared.takes_options
def submit(  # noqa: PLR0913, PLR0917  a parameter is an option of the command
    context: typer.Context,
    argv: o.Argv = None,
    source: o.From = "",
    solver: o.SolverName = "",
    options: o.Options = "{}",
    cores: o.Cores = 1,
    disk: o.Disk = "",
    gpus: o.Gpus = 0,
    pin: o.Pin = False,
    hold: o.Hold = False,
    env: o.Env = None,
    output: o.Outputs = None,
    directory: o.Directory = "",
    exclusive: o.Exclusive = None,
    dry_run: o.DryRun = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    as_json: Json = False,
    **given: Any,
) -> int:
    """Submit a command or a file of jobs.

    Or a solver's job, with --solver. Prints the id of each. Starts a manager in the background
    where none runs.
    """
    chosen = [bool(argv), bool(solver), bool(source)].count(True)
    if chosen != 1:
        raise InvalidRequest(
            "say what to run, in one of three ways: -- COMMAND, --solver NAME or --from FILE"
        )
    place = here(context)
    fields = shared.fields(
        place,
        given,
        cores=cores,
        disk=disk,
        gpus=gpus,
        pin=pin,
        hold=hold,
        directory=directory,
        exclusive=exclusive or (),
    )
    lines: list[specs.Line] = []
    if source:
        _no_options_beside_a_file(context)
        lines = specs.of_file(source)
        wanted = [line.spec for line in lines]
    elif solver:
        if env or output:
            raise InvalidRequest("--env and --output belong to -- COMMAND (use --options)")
        wanted = [specs.of_solver(solver, options, fields)]
    else:
        if _given(context, "options"):
            raise InvalidRequest("--options belongs to --solver (a command has none)")
        wanted = [specs.of_argv(argv or (), env or (), output or (), fields)]
    if dry_run:
        return _preview_lines(place, source, lines) if source else preview.show(wanted, place)
    jobs = _submit_lines(place, source, lines) if source else submitted(place, wanted)
    for native in filter(None, map(words.native, jobs)):
        talk.say(native)
    if wait:
        jobs = _ended(place, jobs, tell=not as_json)
    elif not as_json:
        _tell_ids(jobs)
    if as_json:
        talk.answer_json(jobs if source else jobs[0])
    return acting.verdict(jobs) if wait else 0


@shared.takes_options
def run(  # noqa: PLR0913, PLR0917  a parameter is an option of the command
    context: typer.Context,
    argv: o.Argv = None,
    cores: o.Cores = 1,
    disk: o.Disk = "",
    gpus: o.Gpus = 0,
    pin: o.Pin = False,
    env: o.Env = None,
    output: o.Outputs = None,
    directory: o.Directory = "",
    exclusive: o.Exclusive = None,
    dry_run: o.DryRun = False,
    as_json: Json = False,
    **given: Any,
) -> int:
    """Submit a command and watch it.

    Shows its output as it comes, of an array how many tasks have ended, until it has. Ctrl-C
    stops watching; the job goes on.
    """
    if not argv:
        raise InvalidRequest("say what to run: solveyard run -- COMMAND")
    place = here(context)
    fields = shared.fields(
        place,
        given,
        cores=cores,
        disk=disk,
        gpus=gpus,
        pin=pin,
        directory=directory,
        exclusive=exclusive or (),
    )
    spec = specs.of_argv(argv, env or (), output or (), fields)
    if dry_run:
        return preview.show([spec], place)
    [job] = submitted(place, [spec])
    talk.say(words.native(job) or f"job {job.number} submitted")
    try:
        if spec.array is None:
            _show_output(place, job, quiet=as_json)
        else:
            _show_progress(place, job)
        with place.client() as client:
            client.wait([job.number])
            job = client.job(job.number)
    except KeyboardInterrupt:
        talk.say(f"job {job.number} goes on (solveyard {place.options}cancel {job.number} ends it)")
        raise
    if as_json:
        talk.answer_json(job)
    talk.say(words.ending(job))
    return acting.verdict([job])


def _tell_ids(jobs: Sequence[JobRecord]) -> None:
    if jobs:
        talk.answer("\n".join(job.id for job in jobs))


def _ended(place: Here, jobs: Sequence[JobRecord], *, tell: bool) -> list[JobRecord]:
    """How they ended, once they have, which is told; or what goes on when the wait is stopped.

    `tell`: their ids, at once.
    """
    numbers = [job.number for job in jobs]
    try:
        if tell:
            _tell_ids(jobs)
        with place.client() as client:
            client.wait(numbers)
            ended = [client.job(number) for number in numbers]
    except KeyboardInterrupt:
        some = ",".join(map(str, numbers[:_NAMED]))
        which, them = (
            (f"job {some} goes", "it") if len(numbers) == 1 else (f"jobs {some} go", "them")
        )
        more = f", and so do {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
        talk.say(f"{which} on (solveyard {place.options}cancel {some} ends {them}){more}")
        raise
    for job in ended:
        talk.say(words.ending(job))
    return ended


def _preview_lines(place: Here, source: str, lines: list[specs.Line]) -> int:
    try:
        return preview.show([line.spec for line in lines], place)
    except InvalidRequest as error:
        raise specs.with_line(error, source, lines) from error


def _submit_lines(place: Here, source: str, lines: list[specs.Line]) -> list[JobRecord]:
    if not lines:
        talk.say("note: there is no specification in it")
        return []
    try:
        return submitted(place, [line.spec for line in lines])
    except InvalidRequest as error:
        raise specs.with_line(error, source, lines) from error


def submitted(place: Here, wanted: Sequence[JobSpec]) -> list[JobRecord]:
    """Starts a manager where none answers on a store of this machine."""
    key = uuid4().hex  # by which a second try submits nothing twice
    if place.remote is None:
        _start_where_none_answers(place)
    try:
        with place.client() as client:
            jobs = client.submit_many(wanted, key=key)
    except ManagerUnavailable:
        if place.remote is not None or background.answers(place.folder):
            raise
        _start_where_none_answers(place)  # that one made room for a service, which is coming
        with place.client() as client:
            jobs = client.submit_many(wanted, key=key)
    if place.remote is None:
        for folder in missing(wanted):
            talk.say(f"note: there is no folder {folder}; what runs there fails until there is")
    return jobs


def _start_where_none_answers(place: Here) -> None:
    if background.answers(place.folder):
        return
    child = background.start(place.folder)
    if child is None:
        return
    background.disown(child)
    talk.say(
        f"note: started a manager on {place.folder}; it leaves after a while without work"
        f" (solveyard {place.options}stop ends it now)"
    )


def missing(wanted: Sequence[JobSpec]) -> list[str]:
    """Folders of this machine that are named and aren't there, where no other job may make them."""
    named = {one.directory for one in wanted if not (one.on or one.after or one.array)}
    return sorted(folder for folder in named if folder and not _may_be(folder))


def _may_be(folder: str) -> bool:
    """Is it there, or can that not be told from here?"""
    try:
        return Path(folder).is_dir()
    except OSError:
        return True


def _show_output(place: Here, job: JobRecord, *, quiet: bool) -> None:
    """Both streams as they come, until the job has ended; with `quiet`, both on standard error."""
    errors = threading.Thread(target=_copy, args=(place, job, "stderr"), daemon=True)
    errors.start()
    with place.client() as client:
        for piece in client.follow_log(job.number, "stdout", attempt=present(job)):
            if quiet:
                _to_stderr(piece)
            else:
                talk.answer_bytes(piece)
    errors.join()


def _show_progress(place: Here, job: JobRecord) -> None:
    """How many tasks of an array have ended, until it has."""
    told = ""
    with place.client() as client:
        while not client.wait([job.number], GLANCE):
            now = words.advance(client.job(job.number))
            if now != told:
                talk.say(now)
            told = now


def _copy(place: Here, job: JobRecord, stream: str) -> None:
    """In a thread of its own, with a connection of its own."""
    try:
        with place.client() as client:
            for piece in client.follow_log(job.number, stream, attempt=present(job)):
                _to_stderr(piece)
    except (ManagerUnavailable, OSError, InvalidRequest):
        return  # the main thread meets the same, and tells it


def _to_stderr(piece: bytes) -> None:
    sys.stderr.buffer.write(piece)
    sys.stderr.buffer.flush()


def _given(context: typer.Context, name: str) -> bool:
    """Was this option typed?"""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _no_options_beside_a_file(context: typer.Context) -> None:
    allowed = {"source", "wait", "dry_run", "as_json"}
    for parameter in context.command.params:
        if _given(context, parameter.name or "") and parameter.name not in allowed:
            raise InvalidRequest(
                f"--{str(parameter.name).replace('_', '-')} does not go with --from: each line of"
                " the file is a whole specification"
            )
