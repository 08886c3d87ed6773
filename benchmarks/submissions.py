"""What submitting takes: very many jobs in a few requests, and one job in each of many."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import aiohttp
import msgspec

from benchmarks.api import BULK, Wire, bare_server
from benchmarks.failure import CannotMeasure
from benchmarks.figures import Figure, Judged, at_least, under
from benchmarks.memory import spec
from benchmarks.room import Room
from solveyard.client import find

name = "submissions"
sentence = "100 000 jobs in few requests over a bare decode and insert; one each over a bare server"

JOBS = 100_000
EACH = 2_000
CLIENTS = 8
_PAUSE = 0.002  #: s between two short calls


def run(room: Room, jobs: int = JOBS, each: int = EACH) -> list[Figure]:
    return [*_bulk(room, jobs), *_each(room, each)]


def _bulk(room: Room, jobs: int) -> list[Figure]:
    bodies = [msgspec.json.encode([spec(n) for n in range(start, min(start + BULK, jobs))])
              for start in range(0, jobs, BULK)]  # fmt: skip
    bare = _insert(bodies, room.fresh() / "bare.sqlite")
    room.tell(f"a bare loop decodes and inserts {jobs} jobs in {bare:.2f} s")
    with room.service() as service:
        place = Path(find.running(service.store).socket)
        wire = Wire(place)
        with _asked_meanwhile(place) as stalls:
            begun = time.perf_counter()
            for body in bodies:
                wire.ask("POST", "/jobs", body)
            taken = time.perf_counter() - begun
    stall = max(stalls)
    room.tell(f"solveyard in {taken:.2f} s; the slowest answer meanwhile took {stall * 1e3:.0f} ms")
    return [
        Figure(name=f"{jobs} jobs in {len(bodies)} requests", value=taken, unit="s",
               ratio=taken / bare, goal=under(3)),
        Figure(name="the slowest short answer meanwhile", value=stall * 1e3, unit="ms",
               goal=under(25), judged=Judged.TIME),
    ]  # fmt: skip


def _insert(bodies: Sequence[bytes], place: Path) -> float:
    """The least that has to be done: decode each job and put it on disk, a commit a request; s."""
    base = sqlite3.connect(place, isolation_level=None)
    try:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=FULL")
        base.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, body BLOB)")
        begun = time.perf_counter()
        for body in bodies:
            rows = [(msgspec.json.encode(job),) for job in msgspec.json.decode(body)]
            base.execute("BEGIN")
            base.executemany("INSERT INTO job (body) VALUES (?)", rows)
            base.execute("COMMIT")
        return time.perf_counter() - begun
    finally:
        base.close()


@contextlib.contextmanager
def _asked_meanwhile(place: Path) -> Iterator[list[float]]:
    """How long each of many short calls took; s."""
    times: list[float] = []
    over = threading.Event()

    def ask() -> None:
        wire = Wire(place)
        while not over.wait(_PAUSE):
            begun = time.perf_counter()
            wire.ask("GET", "/healthz")
            times.append(time.perf_counter() - begun)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield times
    finally:
        over.set()
        asking.join()


def _each(room: Room, each: int) -> list[Figure]:
    with bare_server(room.fresh()) as place:
        bare = asyncio.run(_clients(place, each))
    with room.service() as service:
        ours = asyncio.run(_clients(Path(find.running(service.store).socket), each))
    room.tell(f"{CLIENTS} clients: {ours:.0f} jobs/s, a bare server {bare:.0f}/s")
    return [
        Figure(name=f"one job a request, {CLIENTS} clients", value=ours, unit="jobs/s",
               ratio=ours / bare, goal=at_least(0.5)),
    ]  # fmt: skip


async def _clients(place: Path, each: int) -> float:
    """Submissions/s of all clients together, each answered before its client goes on."""
    bodies = [msgspec.json.encode(spec(number)) for number in range(each)]
    connector = aiohttp.UnixConnector(str(place), limit=CLIENTS)
    async with aiohttp.ClientSession("http://localhost", connector=connector) as session:

        async def client(first: int) -> None:
            headers = {"Content-Type": "application/json"}
            for body in bodies[first::CLIENTS]:
                async with session.post("/jobs/submit", data=body, headers=headers) as answer:
                    told = await answer.read()
                    if answer.status >= 300:
                        raise CannotMeasure(f"{answer.status}: {told[:200]!r}")

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as clients:
            for first in range(CLIENTS):
                clients.create_task(client(first))
        return each / (time.perf_counter() - begun)
