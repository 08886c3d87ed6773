"""submit and run."""

import sys
import threading
from collections.abc import Sequence
from typing import Annotated

import typer

from solveyard.cli import acting, background, specs, talk, words
from solveyard.cli.here import Here, Json, here
from solveyard.model.errors import InvalidRequest, ManagerUnavailable
from solveyard.model.jobs import JobSpec
from solveyard.model.records import JobRecord

Argv = Annotated[
    list[str] | None, typer.Argument(metavar="-- COMMAND [ARG...]", help="The program to run.")
]
Name = Annotated[str, typer.Option(help="A name, unique in the store, to find it by.")]
Priority = Annotated[int, typer.Option(help="Larger goes first; may be negative.")]
Cores = Annotated[int, typer.Option("--cores", "-c", help="Processor cores it uses.")]
Memory = Annotated[str, typer.Option(help="Memory it needs: 512M, 4G.")]
TimeLimit = Annotated[str, typer.Option(help="It is ended after: 90, 15m, 2h, 1:30:00.")]
Hold = Annotated[bool, typer.Option("--hold", help="It waits until released.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="LABEL", help="A label; may be repeated.")
]
Env = Annotated[
    list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="Environment; repeatable.")
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--output", metavar="FILE", help="A file it must make; repeatable."),
]
Directory = Annotated[
    str, typer.Option(help="Where it runs: the current folder, or with --solver its own.")
]
Exclusive = Annotated[
    list[str] | None,
    typer.Option("--exclusive", metavar="KEY", help="Only one job with this key runs at once."),
]
Note = Annotated[str, typer.Option(help="A remark for people.")]
SolverName = Annotated[str, typer.Option("--solver", help="Instead of a command: this solver.")]
Options = Annotated[str, typer.Option("--options", metavar="JSON|@FILE", help="The solver's.")]
From = Annotated[
    str, typer.Option("--from", metavar="FILE|-", help="One JSON specification a line.")
]


def submit(  # noqa: PLR0913, PLR0917  a parameter is an option of the command
    context: typer.Context,
    argv: Argv = None,
    source: From = "",
    solver: SolverName = "",
    options: Options = "{}",
    name: Name = "",
    priority: Priority = 0,
    cores: Cores = 1,
    memory: Memory = "",
    time_limit: TimeLimit = "",
    hold: Hold = False,
    tag: Tags = None,
    env: Env = None,
    output: Outputs = None,
    directory: Directory = "",
    exclusive: Exclusive = None,
    note: Note = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    as_json: Json = False,
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
    given = specs.fields(
        name=name,
        priority=priority,
        cores=cores,
        memory=memory,
        time_limit=time_limit,
        directory=directory,
        tags=tag or (),
        exclusive=exclusive or (),
        note=note,
        hold=hold,
    )
    place = here(context)
    if source:
        _no_options_beside_a_file(context)
        jobs = _submit_file(place, source)
    elif solver:
        if env or output:
            raise InvalidRequest("--env and --output belong to -- COMMAND (use --options)")
        jobs = _submit(place, [specs.of_solver(solver, options, given)])
    else:
        jobs = _submit(place, [specs.of_argv(argv or (), env or (), output or (), given)])
    if wait:
        numbers = [job.number for job in jobs]
        with place.client() as client:
            client.wait(numbers)
            jobs = [client.job(number) for number in numbers]
        for job in jobs:
            talk.say(words.ending(job))
    if as_json:
        talk.answer_json(jobs if source else jobs[0])
    elif jobs:
        talk.answer("\n".join(job.id for job in jobs))
    return acting.verdict(jobs) if wait else 0


def run(  # noqa: PLR0913, PLR0917  a parameter is an option of the command
    context: typer.Context,
    argv: Argv = None,
    name: Name = "",
    priority: Priority = 0,
    cores: Cores = 1,
    memory: Memory = "",
    time_limit: TimeLimit = "",
    tag: Tags = None,
    env: Env = None,
    output: Outputs = None,
    directory: Directory = "",
    exclusive: Exclusive = None,
    note: Note = "",
    as_json: Json = False,
) -> int:
    """Submit a command and watch it.

    Shows its output as it comes, until it has ended. Ctrl-C stops watching; the job goes on.
    """
    if not argv:
        raise InvalidRequest("say what to run: solveyard run -- COMMAND")
    given = specs.fields(
        name=name,
        priority=priority,
        cores=cores,
        memory=memory,
        time_limit=time_limit,
        directory=directory,
        tags=tag or (),
        exclusive=exclusive or (),
        note=note,
    )
    place = here(context)
    [job] = _submit(place, [specs.of_argv(argv, env or (), output or (), given)])
    talk.say(f"job {job.number} submitted")
    try:
        _show_output(place, job, quiet=as_json)
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


def _submit_file(place: Here, source: str) -> list[JobRecord]:
    lines = specs.of_file(source)
    if not lines:
        talk.say("note: there is no specification in it")
        return []
    try:
        return _submit(place, [line.spec for line in lines])
    except InvalidRequest as error:
        raise specs.with_line(error, source, lines) from error


def _submit(place: Here, wanted: Sequence[JobSpec]) -> list[JobRecord]:
    """Starts a manager where none answers on a store of this machine."""
    if place.remote is None and not background.answers(place.folder):
        background.start(place.folder)
        talk.say(
            f"note: started a manager on {place.folder}; it leaves after a while without work"
            f" (solveyard {place.options}stop ends it now)"
        )
    with place.client() as client:
        return client.submit_many(wanted)


def _show_output(place: Here, job: JobRecord, *, quiet: bool) -> None:
    """Both streams as they come, until the job has ended; with `quiet`, both on standard error."""
    errors = threading.Thread(target=_copy, args=(place, job, "stderr"), daemon=True)
    errors.start()
    with place.client() as client:
        for piece in client.follow_log(job.number, "stdout"):
            if quiet:
                _to_stderr(piece)
            else:
                talk.answer_bytes(piece)
    errors.join()


def _copy(place: Here, job: JobRecord, stream: str) -> None:
    """In a thread of its own, with a connection of its own."""
    try:
        with place.client() as client:
            for piece in client.follow_log(job.number, stream):
                _to_stderr(piece)
    except (ManagerUnavailable, BrokenPipeError, InvalidRequest):
        return  # the main thread meets the same, and tells it


def _to_stderr(piece: bytes) -> None:
    sys.stderr.buffer.write(piece)
    sys.stderr.buffer.flush()


def _no_options_beside_a_file(context: typer.Context) -> None:
    allowed = {"source", "wait", "as_json"}
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "")
        if given is not None and given.name == "COMMANDLINE" and parameter.name not in allowed:
            raise InvalidRequest(
                f"--{str(parameter.name).replace('_', '-')} does not go with --from: each line of"
                " the file is a whole specification"
            )
