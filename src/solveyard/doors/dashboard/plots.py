"""Touchstone results as JSON, for the dashboard's plots."""

import asyncio

import msgspec
from aiohttp import web

from solveyard.backends.workspace import Workspace, named
from solveyard.doors import encoding
from solveyard.doors.keys import MANAGER
from solveyard.model.errors import InvalidRequest, InvalidResult
from solveyard.results import overlay
from solveyard.solvers import touchstone as files

MOST = 16  #: parameters in one answer


class PlotQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    s: str = "11"  #: which parameters, with spaces: "11 21", or "1,10 2,10" beyond nine ports


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One scattering parameter over frequency."""

    to: int  #: the port that the wave leaves by, from 1
    source: int  #: the port that it comes in by, from 1
    real: list[float]
    imag: list[float]


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    ports: int
    resistance: float  #: ohm
    frequencies: tuple[float, ...]  #: Hz, ascending
    curves: list[Curve]


async def touchstone(request: web.Request) -> web.Response:
    """Scattering parameters from one of the job's Touchstone files: `?s=11 21`.

    Refused with 400: a file of another kind, one that is broken or too large to be plotted.
    """
    wanted = encoding.query(request, PlotQuery)
    manager = request.app[MANAGER]
    workspace = manager.workspace(manager.find(request.match_info["id"]).id)
    path = request.match_info["path"]
    if files.ports_of(path) is None:
        raise InvalidRequest(f"{path!r} has no Touchstone name, such as antenna.s1p")
    try:
        plot = await asyncio.to_thread(_read, workspace, path, wanted.s)
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from error
    if plot is None:
        return encoding.refusal(404, "unknown_file", f"the job has no file {path!r}")
    return encoding.answer(plot, headers={"X-Content-Type-Options": "nosniff"})


def _read(workspace: Workspace, path: str, wanted: str) -> Plot | None:
    """Blocking; None: there is no such file."""
    ports = files.ports_of(path) or 1
    pairs = parameters(wanted, ports)
    found = named(workspace, path)
    if found is None:
        return None
    if found.size > overlay.LARGEST:
        most = overlay.LARGEST >> 20
        raise InvalidResult(
            f"{path} has {found.size >> 20} MiB; up to {most} are plotted (download it)"
        )
    text = workspace.read(found.path, 0, overlay.LARGEST).decode("utf-8", "replace")
    try:
        network = files.parse(text, ports)
    except InvalidResult as error:
        raise InvalidResult(f"{path}: {error}") from error
    curves = [
        Curve(
            to=to,
            source=source,
            real=[matrix[to - 1][source - 1].real for matrix in network.s],
            imag=[matrix[to - 1][source - 1].imag for matrix in network.s],
        )
        for to, source in pairs
    ]
    return Plot(
        path=path,
        ports=ports,
        resistance=network.resistance,
        frequencies=network.frequencies,
        curves=curves,
    )


def parameters(wanted: str, ports: int) -> list[tuple[int, int]]:
    """Read "11 21 1,10": pairs of ports (out, in), each once. Raises InvalidRequest."""
    pairs: list[tuple[int, int]] = []
    for word in wanted.split():
        to, source = overlay.pair(word)
        if to > ports or source > ports:
            raise InvalidRequest(f"there is no S{word}: the file has ports 1 to {ports}")
        if (to, source) not in pairs:
            pairs.append((to, source))
    if not 1 <= len(pairs) <= MOST:
        raise InvalidRequest(f"{len(pairs)} parameters are asked for; it can be 1 to {MOST}")
    return pairs
