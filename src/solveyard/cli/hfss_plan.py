"""What a solve would run: arguments, environment, files, and a script that does the same."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import PurePath

import msgspec

from solveyard.cli import exits, talk
from solveyard.model.jobs import JobSpec
from solveyard.solvers import options, tasks
from solveyard.solvers.base import PYTHON, Command
from solveyard.solvers.hfss import commandline, licences
from solveyard.solvers.hfss.batch import HfssOptions
from solveyard.solvers.hfss.solver import HfssSolver
from solveyard.surroundings import Here

_END = "END_OF_FILE"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Of one job, or of an array's first task."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]  #: added to the manager's
    directory: str  #: empty: the job's own folder
    files: Mapping[str, str]  #: written before, in the directory
    licences: Mapping[str, int]  #: taken where [resources.licences] counts them
    exclusive: tuple[str, ...]
    script: str
    spec: JobSpec  #: as it would be submitted


def show(spec: JobSpec, *, as_json: bool) -> int:
    """For people, or as JSON. Raises InvalidJob for what would not be taken."""
    solver, machine = HfssSolver(), Here()
    complete = solver.complete(spec, machine)
    for sample in tasks.samples(complete):
        solver.command(sample)
    first = tasks.spec_at(complete, 0)
    made = solver.command(first)
    argv = tuple(sys.executable if word == PYTHON else word for word in made.argv)
    chosen = options.read(HfssOptions, first)
    plan = Plan(
        argv=argv,
        environment=made.env,
        directory=made.directory,
        files=made.files,
        licences={**licences.cost(chosen, first.resources), **first.resources.licences},
        exclusive=first.exclusive,
        script=script(made, argv),
        spec=spec,
    )
    if as_json:
        talk.answer_json(plan)
        return exits.OK
    counted = ", ".join(f"{seats} {name}" for name, seats in plan.licences.items()) or "none"
    told = [
        f"licences   {counted} (waited for where [resources.licences] counts them)",
        f"exclusive  {', '.join(plan.exclusive) or 'nothing: it solves a copy'}",
        "",
        plan.script.rstrip("\n"),
    ]
    if spec.array is not None:
        told.insert(0, f"tasks      {len(spec.array)}; this is the first")
    talk.answer("\n".join(told))
    return exits.OK


def script(made: Command, argv: tuple[str, ...]) -> str:
    """What would do the same from a shell: sh, or on Windows its prompt's one line."""
    if sys.platform == "win32":
        lines = [f"rem {name}: a file of this job" for name in made.files]
        lines += [f"set {name}={value}" for name, value in made.env.items()]
        if made.directory:
            lines.append(f'cd /d "{made.directory}"')
        return "\r\n".join([*lines, commandline.line(argv, windows=True), ""])
    lines = ["#!/bin/sh", "set -e"]
    if made.directory:
        lines.append(f"cd {shlex.quote(made.directory)}")
    for name, content in made.files.items():
        # the mark is quoted, or the shell would read $begin as a variable that is empty
        lines += [f"cat > {shlex.quote(PurePath(name).name)} <<'{_END}'", content.rstrip("\n")]
        lines.append(_END)
    lines += [f"export {name}={shlex.quote(value)}" for name, value in made.env.items()]
    return "\n".join([*lines, f"exec {commandline.line(argv, windows=False)}", ""])
