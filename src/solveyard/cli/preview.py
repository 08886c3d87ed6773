"""What would be submitted."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from solveyard import registry
from solveyard.cli import exits, talk
from solveyard.cli.here import Here
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec
from solveyard.solvers import criteria, endings, options, tasks

if TYPE_CHECKING:
    from solveyard.manager.forwarding import Forwarding


def show(wanted: Sequence[JobSpec], place: Here) -> int:
    """Each specification as a line of JSON; beside it, of an array, its first and its last task.

    Of a job for a cluster instead the script and the command by which it would be submitted, of an
    array with as many of its tasks as go together; and which rule has it go where it goes.

    Raises InvalidJob for what a manager wouldn't take, of several as a manager does.
    """
    elsewhere = place.remote is not None and not any(spec.on for spec in wanted)
    # a manager elsewhere has rules of its own
    ways = None if elsewhere else forwarding(place, wanted)
    decided = [(spec, "") if ways is None else ways.decided(spec, account()) for spec in wanted]
    for number, (found, _) in enumerate(decided, 1):
        try:
            check(found)
        except InvalidJob as error:
            if len(wanted) == 1:
                raise
            raise InvalidJob(f"job {number} of {len(wanted)}: {error}") from error
    for spec, (found, rule) in zip(wanted, decided, strict=True):
        if rule:
            talk.say(rule)
        if ways is not None and found.on:
            talk.answer_exactly(shown(*ways.preview(found)))
            if found.array is not None:
                talk.say(f"tasks: {together(len(found.array), ways.together(found))}")
        else:
            talk.answer_json(spec)
        if spec.array is not None:
            count = len(spec.array)
            for position in dict.fromkeys((0, count - 1)):
                task = f"[{spec.array.index(position)}], {position + 1} of {count}"
                talk.say(f"{task}: {_command(tasks.spec_at(spec, position))}")
    return exits.OK


def check(spec: JobSpec) -> None:
    """Raises InvalidJob for what a manager with the solvers that are installed here refuses."""
    solvers = registry.solvers()
    options.check(spec)
    endings.check(spec, solvers)
    for sample in tasks.samples(spec):
        criteria.check(sample)
        if spec.solver in solvers:
            solvers[spec.solver].command(sample)


def shown(script: str, argv: Sequence[str]) -> str:
    return f"{script}\n# submitted by:\n# {shlex.join(argv)}"


def forwarding(place: Here, wanted: Sequence[JobSpec] = ()) -> "Forwarding":
    """By the settings here, and what `wanted` name beside them where it answers.

    A job's number, and the store's, are not known yet: they are 0.
    """
    import asyncio

    from solveyard import clusters, config
    from solveyard.config import serving
    from solveyard.manager.forwarding import Forwarding
    from solveyard.manager.ordering import Ordering
    from solveyard.places import StorePlaces

    found = config.load(config.Places.here())
    known = clusters.backends(
        serving.clusters(found.settings), (), "", Path(), discover=found.settings.discover_clusters
    )
    for name in {spec.on for spec in wanted} & known.keys():
        asyncio.run(known[name].answer())
    return Forwarding(Ordering(StorePlaces(place.folder)), known, serving.rules(found))


def together(count: int, most: int) -> str:
    """How many tasks an array has, and how they are submitted, `most` of them at once."""
    if most == 1:
        return f"{count}, submitted one by one; this is the first"
    if most < count:
        return f"{count}, submitted in arrays of at most {most}; this is the first"
    return f"{count}, submitted together, as this array"


def account() -> str:
    import getpass

    return getpass.getuser()


def _command(spec: JobSpec) -> str:
    """What is run, or else the options of its solver."""
    chosen: dict[str, Any] = msgspec.json.decode(spec.options)
    argv = chosen.get("argv")
    if spec.solver == "command" and isinstance(argv, list):
        return shlex.join(str(word) for word in argv)
    return msgspec.json.encode(chosen).decode()
