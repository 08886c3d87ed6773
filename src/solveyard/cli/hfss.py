"""hfss: one solve, or a sweep of them, with its licences, locks and projects."""

import contextlib
import math
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
import typer

from solveyard import config
from solveyard.cli import (
    acting,
    hfss_lock,
    hfss_plan,
    preview,
    results,
    shared,
    specs,
    submitting,
    talk,
    words,
)
from solveyard.cli import options as o
from solveyard.cli.here import Here, Json, absolute, here
from solveyard.model.errors import InvalidJob, InvalidRequest, ManagerUnavailable
from solveyard.model.jobs import JobSpec
from solveyard.model.records import JobRecord
from solveyard.solvers import options, tasks
from solveyard.solvers.hfss.batch import HfssOptions
from solveyard.solvers.hfss.licences import INCLUDED

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="An .aedt, .aedb or .aedtz.")]
Solve = Annotated[
    int | None,
    typer.Option("--cores", "-c", min=1, help="4, which take no HPC licence, or all there are."),
]


@shared.takes_options
def hfss(  # noqa: PLR0913, PLR0917  a parameter is an option of the command
    context: typer.Context,
    project: Project,
    design: Annotated[str, typer.Option(help="Of several designs, this one.")] = "",
    setup: Annotated[str, typer.Option(help="Of the design's setups, this one.")] = "",
    optimetrics: Annotated[
        bool, typer.Option("--optimetrics", help="The design's variations, not the nominal one.")
    ] = False,
    cores: Solve = None,
    variations: Annotated[int, typer.Option(min=1, help="Variations at the same time.")] = 1,
    tasks: Annotated[
        int | None, typer.Option(min=1, help="Engines; else ansysedt splits the cores itself.")
    ] = None,
    hpc: Annotated[str, typer.Option(metavar="pool|pack", help="HPC licences.")] = "",
    copy: Annotated[
        bool, typer.Option("--copy", help="Solve a copy, in the job's own folder.")
    ] = False,
    ansysedt: Annotated[str, typer.Option(metavar="PATH", help="Else the newest found.")] = "",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=JSON", help="Any option of the page; repeatable."),
    ] = None,
    min_disk: Annotated[
        float | None, typer.Option(metavar="GIB", help="Free where it solves; 1, on clusters 0.")
    ] = None,
    end_low_disk: Annotated[
        bool, typer.Option("--end-low-disk", help="End it when less is free meanwhile.")
    ] = False,
    hold: o.Hold = False,
    unlock: Annotated[
        bool, typer.Option("--unlock", help="Only remove a lock that a crash left, if it is one.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Submit nothing: show all that would be run.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --wait: draw S11, of all tasks.")
    ] = None,
    as_json: Json = False,
    **given: Any,
) -> int:
    """Solve an HFSS or HFSS 3D Layout project.

    Licences are those of its cores and variations. With --grid, --values, --rows or --array once
    for each task; {{name}} in PROJECT and in --set is what a task has.
    """
    place = here(context)
    if plot is not None and not wait:
        raise InvalidRequest("--plot needs --wait: there is something to draw when it has ended")
    if min_disk is not None and not math.isfinite(min_disk):
        raise InvalidRequest(f"--min-disk: expected a number of GiB, got {min_disk}")
    if unlock:
        return hfss_lock.unlock(Path(absolute(project)))
    if place.remote is None:
        _there(absolute(project), "give an .aedt or .aedb project, or an .aedtz archive")
    chosen = _options(
        project_path=absolute(project),
        machines="numcores" if given["on"] and (given["nodes"] or 1) > 1 else "list",
        design_name=design,
        setup_name=setup,
        design_mode="Optimetrics" if optimetrics else "",
        hpc_licence=hpc,
        ansys_edt_path=absolute(ansysedt) if ansysedt else "",
        variations=variations if variations > 1 else None,
        tasks=tasks,
        auto=False if tasks is not None else None,
        workspace="copy" if copy or project.lower().endswith(".aedtz") else "",
        min_disk_gb=min_disk,
        low_disk="end" if end_low_disk else "",
    )
    chosen |= dict(_setting(text) for text in setting or ())
    if cores is None:
        cores = INCLUDED if given["on"] else _fitting(place)
    fields = shared.fields(place, given, cores=cores, directory="", hold=hold)
    spec = _spec(chosen, fields)
    on = _destination(spec, place, str(chosen.get("ansys_edt_path", "")))
    if "min_disk_gb" not in chosen and not on:
        spec = _spec({**chosen, "min_disk_gb": 1.0}, fields)
    if dry_run:
        return hfss_plan.show(spec, place, as_json=as_json)
    if place.remote is None:
        _look(spec, chosen, place)
    [job] = submitting.submitted(place, [spec])
    if wait:
        with place.client() as client:
            client.wait([job.number])
            job = client.job(job.number)
        talk.say(words.ending(job))
    if as_json:
        talk.answer_json(job)
    else:
        talk.answer(job.id)
    if not wait:
        return 0
    _report(place, job, plot, as_json=as_json)
    return acting.verdict([job])


def _there(path: str, way_out: str) -> None:
    """Raises InvalidJob for one that isn't. Those of an array's tasks are looked for one by one."""
    if "{{" not in path and not os.path.exists(path):  # noqa: PTH110  Path's may raise
        raise InvalidJob(f"no such file or directory: {path!r} ({way_out})")


def _look(spec: JobSpec, chosen: Mapping[str, Any], place: Here) -> None:
    """Before a manager is started for it. Raises InvalidJob, Conflict."""
    for sample in tasks.samples(spec):
        options.read(HfssOptions, sample)
    if chosen.get("workspace") != "copy":
        hfss_lock.look(Path(chosen["project_path"]), place.options)


def _options(**said: Any) -> dict[str, Any]:
    """The solver's, without those that weren't said."""
    return {field: value for field, value in said.items() if value not in {None, ""}}


def _spec(chosen: Mapping[str, Any], fields: dict[str, object]) -> JobSpec:
    return specs.of_solver("hfss", msgspec.json.encode(chosen).decode(), fields)


def _destination(spec: JobSpec, place: Here, program: str) -> str:
    """The cluster that it goes to; "": none, or a manager elsewhere decides it.

    Raises InvalidJob where its `program` is to be on this machine, and isn't.
    """
    if place.remote is not None:
        return spec.on
    forwarding = preview.forwarding(place)
    on = forwarding.sent(spec, preview.account()).on
    if on not in forwarding.elsewhere and Path(program).is_absolute():
        _there(program, "leave the program out, or give the path of one that is there")
    return on


def _report(place: Here, job: JobRecord, plot: Path | None, *, as_json: bool) -> None:
    """How a sweep ends: with a table, and all its curves in one picture."""
    with place.client() as client:
        if job.tasks is not None and not as_json:
            results.tell(client.results(job.number))
        try:
            if plot is not None:
                results.draw(client, job.number, plot)
        except InvalidRequest as error:  # how the solves ended is what the exit status tells
            talk.say(f"note: {error}")


def _fitting(place: Here) -> int:
    """As many cores as no HPC licence is taken for, or all of the largest machine."""
    try:
        with place.client() as client:
            found = [one["cores"] for one in client.status()["machines"].values()]
    except ManagerUnavailable:
        cores = config.load(config.Places.here()).settings.cores
        found = [cores] if cores else []
    most = max(found, default=os.cpu_count() or 1) or 1
    if most < INCLUDED:
        talk.say(f"note: it gets {most} cores, as many as there are (--cores says otherwise)")
    return min(INCLUDED, most)


@cache
def _fractional() -> frozenset[str]:
    """Options that are numbers with a fraction; of others "2.5" is a text."""
    fields = HfssOptions.model_fields.items()
    return frozenset(name for name, field in fields if float in get_args(field.annotation))


def _setting(text: str) -> tuple[str, Any]:
    """ "ppe=true", "log_file=a.log": JSON, or else text. Raises InvalidRequest."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise InvalidRequest(f"--set {text!r}: expected NAME=JSON, such as ppe=true")
    if name in _fractional():
        with contextlib.suppress(msgspec.DecodeError):
            return name, msgspec.json.decode(value, type=float)
    number = value.removeprefix("-")
    if number.isascii() and number.isdigit():
        return name, int(value)
    if value.startswith("{{") or value[:1] not in set('[{"tfn'):
        return name, value
    if value[:1] in "tfn" and value not in {"true", "false", "null"}:
        return name, value
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise InvalidJob(f"--set {name}: this is no JSON: {error}") from error
