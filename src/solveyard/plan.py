"""What a job would run: arguments, environment, files, and a script that does the same."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import msgspec

from solveyard import registry
from solveyard.model.jobs import JobSpec
from solveyard.model.plans import Plan
from solveyard.solvers import tasks
from solveyard.solvers.base import PYTHON, Command
from solveyard.solvers.hfss import commandline

_END = "END_OF_FILE"


def of(spec: JobSpec) -> Plan:
    """Of a job on this machine, or before its script is asked for. Raises InvalidJob."""
    solver = registry.solver(spec.solver)
    for sample in tasks.samples(spec):
        solver.command(sample)
    first = tasks.spec_at(spec, 0)
    made = solver.command(first)
    argv = tuple(sys.executable if word == PYTHON else word for word in made.argv)
    return Plan(
        argv=argv,
        environment=made.env,
        directory=made.directory,
        files=made.files,
        licences=first.resources.licences,
        exclusive=first.exclusive,
        script=script(made, argv),
        spec=written(spec),
    )


def written(spec: JobSpec) -> dict[str, Any]:
    """A specification as JSON has it."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(spec))
    return found


def script(made: Command, argv: Sequence[str]) -> str:
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
        end = _mark(content)
        # the mark is quoted, or the shell would read $begin as a variable that is empty
        lines += [f"cat > {shlex.quote(PurePath(name).name)} <<'{end}'", content.rstrip("\n"), end]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in made.env.items()]
    return "\n".join([*lines, f"exec {commandline.line(argv, windows=False)}", ""])


def _mark(content: str) -> str:
    """What ends the content in a script: no line of its own."""
    mark, lines = _END, set(content.split("\n"))
    while mark in lines:
        mark += "_"
    return mark
