"""The same launches over the real qcg-pilotjob and HyperQueue, in one run with ours.

Neither keeps anything on disk but the output files. HyperQueue is the wheel from PyPI, in which
server, worker and client are one Python process; its own binary isn't measured.
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import environments, launch
from benchmarks.failure import CannotMeasure
from benchmarks.figures import Bound, Figure, at_least
from benchmarks.room import Room

name = "peers"
sentence = "10 000 /bin/true, two at a time, over qcg-pilotjob's and HyperQueue's launches/s"

JOBS = 10_000
ROUNDS = 2
DRIVERS = Path(__file__).parent / "drivers"
_PATIENCE = 900.0  #: s that one round of a peer may take


class Peer(NamedTuple):
    product: str  #: on PyPI
    driver: str
    least: Bound


PEERS = (
    Peer("qcg-pilotjob", "pilotjob.py", at_least(2.1)),
    Peer("hyperqueue", "hyperqueue_tasks.py", at_least(4.4)),
)


def run(
    room: Room, jobs: int = JOBS, rounds: int = ROUNDS, peers: Sequence[Peer] = PEERS
) -> list[Figure]:
    """In turn: ours, each peer, ours, each peer, ours."""
    pythons = {}
    for peer in peers:
        pinned = environments.pinned(peer.product)
        pythons[peer] = environments.python_with(pinned, room.fresh() / "environment")
        room.tell(f"{pinned} is there")
    ours = [launch.measured(room, jobs).rate]
    theirs: dict[Peer, list[float]] = {peer: [] for peer in peers}
    for _ in range(rounds):
        for peer, python in pythons.items():
            theirs[peer].append(launches(room, peer, python, jobs))
            room.tell(f"{peer.product}: {theirs[peer][-1]:.0f} launches/s")
        ours.append(launch.measured(room, jobs).rate)
    our = statistics.median(ours)
    return [
        Figure(
            name=f"launches over {peer.product}'s",
            value=statistics.median(rates),
            unit="launches/s",
            ratio=our / statistics.median(rates),
            target=peer.least,
        )
        for peer, rates in theirs.items()
    ]


def launches(room: Room, peer: Peer, python: Path, jobs: int) -> float:
    """Launches/s from the first start to the last, by the files that each start makes."""
    folder = room.fresh() / "output"
    command = [str(python), str(DRIVERS / peer.driver), str(folder), str(jobs)]
    environments.run(command, f"{peer.product} didn't launch {jobs} jobs", _PATIENCE)
    files = [*folder.glob("*.out"), *folder.glob("*.err")]
    if len(files) != 2 * jobs:
        raise CannotMeasure(f"{jobs} jobs of {peer.product} left {len(files)} output files")
    starts = [file.stat().st_mtime_ns for file in files]
    return (jobs - 1) * 1e9 / (max(starts) - min(starts))
