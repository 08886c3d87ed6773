"""What would be submitted."""

import shlex
from collections.abc import Sequence
from typing import Any

import msgspec

from solveyard import registry
from solveyard.cli import exits, talk
from solveyard.cli.here import Here
from solveyard.model.jobs import JobSpec
from solveyard.solvers import tasks


def show(wanted: Sequence[JobSpec], place: Here) -> int:
    """Each specification as a line of JSON; beside it, of an array, its first and its last task.

    Of a job for a cluster instead the script and the command by which it would be submitted.

    Raises InvalidJob for what its solver, where it is installed here, wouldn't take.
    """
    solvers = registry.solvers()
    for spec in wanted:
        for sample in tasks.samples(spec):
            if spec.solver in solvers:
                solvers[spec.solver].command(sample)
    for spec in wanted:
        if spec.on:
            _show_submission(spec, place)
            continue
        talk.answer_json(spec)
        if spec.array is not None:
            count = len(spec.array)
            for position in dict.fromkeys((0, count - 1)):
                task = f"[{spec.array.index(position)}], {position + 1} of {count}"
                talk.say(f"{task}: {_command(tasks.spec_at(spec, position))}")
    return exits.OK


def _show_submission(spec: JobSpec, place: Here) -> None:
    """By the settings here. Its number, and the store's, are not known yet: they are 0."""
    from solveyard import clusters, config
    from solveyard.config import serving
    from solveyard.forwarding import Forwarding
    from solveyard.ordering import Ordering
    from solveyard.places import StorePlaces

    found = config.load(config.Places.here())
    known = clusters.backends(serving.clusters(found.settings), (), "")
    forwarding = Forwarding(Ordering(StorePlaces(place.folder)), known)
    for sample in tasks.samples(spec):
        script, argv = forwarding.preview(sample)
        talk.answer(f"{script}\n# submitted by:\n# {shlex.join(argv)}")


def _command(spec: JobSpec) -> str:
    """What is run, or else the options of its solver."""
    options: dict[str, Any] = msgspec.json.decode(spec.options)
    argv = options.get("argv")
    if spec.solver == "command" and isinstance(argv, list):
        return shlex.join(str(word) for word in argv)
    return msgspec.json.encode(options).decode()
