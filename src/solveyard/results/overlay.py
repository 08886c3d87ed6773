"""One scattering parameter of several jobs, to be laid over each other: of an array's tasks."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from solveyard import registry
from solveyard.backends.workspace import Fits, Workspace, every, named
from solveyard.model import arrays, criteria, paths, records
from solveyard.model.errors import InvalidJob, InvalidRequest, InvalidResult
from solveyard.model.ids import position_of
from solveyard.model.jobs import Job, JobSpec
from solveyard.model.overlaid import Overlaid
from solveyard.solvers import tasks, touchstone

LARGEST = 16 << 20  #: bytes of a file that is read
ALL = 64 << 20  #: bytes that are read for one answer

_PARAMETER = re.compile(r"S(\d{1,3}),(\d{1,3})|S(\d)(\d)")


class _Enough(InvalidResult):
    """The answer would hold too much with it."""


class Asked(NamedTuple):
    """A job whose curve is wanted, and where it works."""

    job: Job
    workspace: Workspace


def pair(word: str) -> tuple[int, int]:
    """Read "21", or "2,10": the ports that a wave leaves and comes in by. Raises InvalidRequest."""
    match = _PARAMETER.fullmatch(f"S{word}")
    to, source = (int(digits) for digits in match.groups() if digits) if match else (0, 0)
    if not (to and source):
        raise InvalidRequest(f"{word[:40]!r} is no parameter such as 21, or 2,10")
    return to, source


def read(wanted: Iterable[Asked], s: str = "11", file: str = "") -> Iterator[Overlaid]:
    """The curves of `wanted`, one by one. Blocking. Raises InvalidRequest.

    `file`: the Touchstone file's path in each job's folder, in which `{{name}}` is what a task
    has; "": the first one that the job names or its solver leaves, else in a folder of its own.
    """
    ports, left = pair(s), ALL
    for asked in wanted:
        position, array = position_of(asked.job.id), asked.job.spec.array
        seen = array.seen(position) if array is not None and position is not None else {}
        told = Overlaid(
            id=asked.job.label,
            task=array.index(position) if array is not None and position is not None else None,
            parameters=records.parameters(asked.job),
        )
        try:
            path = arrays.filled_texts(file, seen) if file else _named(asked)
            told = replace(told, path=paths.spelt(str(path)))
            network, size = _network(asked.workspace, str(path), left)
            left -= size
            yield _curve(told, network, ports)
        except InvalidRequest as error:
            unread = isinstance(error, _Enough)
            yield replace(told, trouble=paths.spelt(str(error)), unread=unread)
        except OSError as error:
            yield replace(told, trouble=f"it can't be read: {error.strerror}")


def own(job: Job) -> Fits:
    """Is a Touchstone file of this path surely the job's own? Others in a folder that its
    specification names may be another's.
    """
    try:
        spec = tasks.spec_of(job.spec, job.id)
    except InvalidJob:  # accepted by another version
        spec = job.spec
    if not spec.directory:
        return every
    files = {*_said(spec), *(path for path, is_folder in _looked_at(spec) if not is_folder)}
    folders = tuple(f"{path}/" for path, is_folder in _looked_at(spec) if is_folder)
    return lambda path: path in files or path.startswith(folders)


def _curve(told: Overlaid, network: touchstone.Network, ports: tuple[int, int]) -> Overlaid:
    to, source = ports
    have = len(network.s[0])
    if max(ports) > have:
        comma = "," if max(ports) > 9 else ""
        raise InvalidRequest(f"there is no S{to}{comma}{source}: {told.path} has ports 1 to {have}")
    values = [matrix[to - 1][source - 1] for matrix in network.s]
    return replace(
        told,
        frequencies=network.frequencies,
        real=tuple(one.real for one in values),
        imag=tuple(one.imag for one in values),
    )


def _network(workspace: Workspace, path: str, left: int) -> tuple[touchstone.Network, int]:
    """What a file holds, and its size."""
    ports = touchstone.ports_of(path)
    if ports is None:
        raise InvalidRequest(f"{path!r} has no Touchstone name, such as antenna.s1p")
    found = named(workspace, path)
    if found is None:
        raise InvalidRequest(f"there is no {path}")
    size = f"{path} has {found.size / 2**20:.1f} MiB"
    if found.size > LARGEST:
        raise InvalidResult(f"{size}: a file of up to {LARGEST >> 20} MiB is read")
    if found.size > left:
        raise _Enough(
            f"{size}: up to {ALL >> 20} MiB are read for one answer (ask for fewer at once)"
        )
    text = workspace.read(found.path, 0, LARGEST).decode("utf-8", "replace")
    try:
        return touchstone.parse(text, ports), found.size
    except InvalidResult as error:
        raise InvalidResult(f"{path}: {error}") from error


def _named(asked: Asked) -> str:
    """The path of its Touchstone file. Raises InvalidRequest where there is none."""
    try:
        spec = tasks.spec_of(asked.job.spec, asked.job.id)
    except InvalidJob as error:  # accepted by another version
        raise InvalidRequest(str(error)) from error
    for path in _said(spec):
        if asked.workspace.stat(path) is not None:
            return path
    found = _left(spec, asked.workspace)
    if not found and not spec.directory:
        found = _first(asked.workspace)
    if not found:
        why = "there is no Touchstone file yet"
        if spec.directory:  # which may be others', too
            why += " of those that its specification tells of (name another by its path)"
        raise InvalidRequest(why)
    return found


def _said(spec: JobSpec) -> list[str]:
    """What the specification itself names: outputs, measures, criteria."""
    solver = registry.solvers().get(spec.solver)
    said: list[str] = []
    with contextlib.suppress(InvalidJob):  # accepted by another version
        said += solver.command(spec).outputs if solver is not None else ()
    return _touchstone([*said, *criteria.files(spec.measures, spec.success)])


def _left(spec: JobSpec, workspace: Workspace) -> str:
    """The first where its solver looks for results; "": there is none."""
    for path, folder in _looked_at(spec):
        found = _first(workspace, path) if folder else "".join(_touchstone([path]))
        if found:
            return found
    return ""


def _looked_at(spec: JobSpec) -> Iterable[tuple[str, bool]]:
    """Where its solver looks for results, each once: the path, and whether it is a folder."""
    solver = registry.solvers().get(spec.solver)
    queries = solver.evidence(spec) if solver is not None else ()
    return dict.fromkeys((query.path, bool(query.below)) for query in queries)


def _first(workspace: Workspace, folder: str = "") -> str:
    """By path, of those in the folder; "": there is none."""
    return min(_touchstone(one.path for one in workspace.walk(folder)), default="")


def _touchstone(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if touchstone.ports_of(path) is not None]
