"""`solveyard demo`: a sweep of dipoles, from submission to plot, in a store of its own."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from solveyard.cli import acting, background, demo_sweep, sweep_report, talk, units, words
from solveyard.cli.here import Here
from solveyard.client import find
from solveyard.client.sync import Client
from solveyard.model.jobs import JobState
from solveyard.model.records import JobRecord
from solveyard.results import picture
from solveyard.solvers import touchstone

STOP_TIME = 60.0  #: s
GLANCE = 0.2  #: s between two looks at the jobs
PLOT = "dipoles.svg"
TITLE = "Dipoles, 0.40 m to 0.60 m, wire radius 1 mm: reflection at the feed (NEC2)"
HEADER = ("LENGTH", "RESONANCE", "FEED RESISTANCE", "MIN |S11|", "RUN TIME")


class Solved(NamedTuple):
    """A job that brought a result."""

    length: float  #: m
    job: JobRecord
    path: Path  #: of its Touchstone file
    curve: picture.Curve


def demo(folder: Path, *, keep: bool, as_json: bool) -> int:
    """Solve the sweep, show it, and stop the manager unless `keep`; returns the exit status."""
    picture.prepare()
    place = Here(folder / "store")
    tell = talk.say if as_json else talk.answer
    with _manager(place, keep=keep) as where:
        tell(f"manager   {where.url}  (store {place.folder})")
        with place.client() as client:
            jobs = _solve(client)
            engine = _engine(client, jobs)
            solved = _collect(client, jobs, folder)
    drawn = _plot(folder / PLOT, solved)
    if as_json:
        talk.answer_json(_report(jobs, solved, engine, drawn))
    else:
        talk.answer(f"engine    {engine}\n")
        talk.answer_table(HEADER, _table(solved))
        talk.answer(f"\nresults   {folder}/dipole-*.s1p  ({len(solved)} Touchstone files)")
        if drawn is not None:
            talk.answer(f"plot      {drawn}")
    for job in jobs:
        if job.state is not JobState.COMPLETED:
            talk.say(f"error: {words.ending(job)}")
    if keep:
        command = f"solveyard --store {place.folder}"
        talk.say(f"note: the manager goes on ({command} ps --all; {command} stop)")
    return acting.verdict(jobs)


@contextmanager
def _manager(place: Here, *, keep: bool) -> Iterator[find.Address]:
    """A manager on the demo's store; when it is done with, none of its processes is left."""
    child = None if background.answers(place.folder) else background.start(place.folder)
    try:
        yield find.running(place.folder)
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            background.stop(place.folder, "now", STOP_TIME)
            if child is not None:
                child.wait()
        elif child is not None:
            background.disown(child)


def _solve(client: Client) -> list[JobRecord]:
    """Submit the sweep, and show how it goes until all have ended."""
    left = client.jobs(states=acting.UNFINISHED, limit=None).jobs  # by a run that was interrupted
    for job in left:
        client.cancel(job.number)
    client.wait([job.number for job in left], STOP_TIME)
    numbers = [job.number for job in client.submit_many(demo_sweep.demo_specs())]
    with _progress(len(numbers)) as show:
        for index, number in enumerate(numbers):
            while not client.wait([number], GLANCE):
                show(index, client.queue())
            show(index + 1, client.queue())
    return [client.job(number) for number in numbers]


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar on a terminal, a line at each end elsewhere; on standard error."""
    if not sys.stderr.isatty():
        told = [-1]

        def line(done: int, _: dict[str, int]) -> None:
            if done != told[0]:
                told[0] = done
                talk.say(f"solved    {done} of {total}")

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("solving"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, now="")

        def update(done: int, queue: dict[str, int]) -> None:
            now = f"{queue['running']} running, {queue['queued']} queued"
            bar.update(task, completed=done, now=now)

        yield update


def _engine(client: Client, jobs: Sequence[JobRecord]) -> str:
    """Which program solved it, as the first job's first line of output says."""
    first = client.log(jobs[0].number, limit=1000).content.decode(errors="replace").splitlines()
    return first[0].removeprefix("engine: ") if first else "unknown"


def _collect(client: Client, jobs: Sequence[JobRecord], folder: Path) -> list[Solved]:
    """Copy each result into `folder`, whole or not at all, and read it."""
    solved = []
    for length, job in zip(demo_sweep.LENGTHS, jobs, strict=True):
        if job.state is not JobState.COMPLETED:
            continue
        name = demo_sweep.result_name(length)
        content = b"".join(client.read_file(job.number, name))
        path = folder / name
        temporary = path.with_suffix(".part")
        temporary.write_bytes(content)
        temporary.replace(path)
        network = touchstone.parse(content.decode(), 1)
        curve = (network.frequencies, [matrix[0][0] for matrix in network.s])
        solved.append(Solved(length, job, path, curve))
    return solved


def _curves(solved: Sequence[Solved]) -> dict[str, picture.Curve]:
    return {f"{one.length:.2f} m": one.curve for one in solved}


def _plot(path: Path, solved: Sequence[Solved]) -> Path | None:
    if not solved:
        return None
    try:
        picture.plot(path, _curves(solved), TITLE)
    except picture.MissingPlotter as error:
        talk.say(f"note: {error}")
        return None
    return path


def _table(solved: Sequence[Solved]) -> list[tuple[str, ...]]:
    found = sweep_report.rows(_curves(solved), demo_sweep.Z0)
    return [
        (
            row.label,
            f"{row.resonance.frequency / 1e6:.1f} MHz" if row.resonance else "none",
            f"{row.resonance.resistance:.1f} ohm" if row.resonance else "none",
            f"{row.minimum:.1f} dB",
            units.short(one.job.run_time),
        )
        for one, row in zip(solved, found, strict=True)
    ]


def _report(
    jobs: Sequence[JobRecord], solved: Sequence[Solved], engine: str, drawn: Path | None
) -> dict[str, object]:
    """The same for programs: lengths in m, frequencies in Hz, ohm, dB, s."""
    found = sweep_report.rows(_curves(solved), demo_sweep.Z0)
    return {
        "success": all(job.state is JobState.COMPLETED for job in jobs),
        "engine": engine,
        "plot": str(drawn) if drawn is not None else None,
        "results": [
            {
                "id": one.job.id,
                "length": one.length,
                "resonance": row.resonance.frequency if row.resonance else None,
                "feed_resistance": row.resonance.resistance if row.resonance else None,
                "minimum_s11": row.minimum,
                "run_time": one.job.run_time,
                "touchstone": str(one.path),
            }
            for one, row in zip(solved, found, strict=True)
        ],
    }
