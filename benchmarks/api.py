"""What HTTP takes: a page and the counts of many jobs, and short calls while others run."""

import contextlib
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from benchmarks.failure import CannotMeasure
from benchmarks.figures import Figure, Judged, under
from benchmarks.memory import spec
from benchmarks.room import Room
from benchmarks.samples import percentile
from solveyard.client import find
from solveyard.model.jobs import Counter, Job, JobId, JobState
from solveyard.store.sqlite import SqliteStore

name = "api"
sentence = "calls over the private socket; over a bare aiohttp handler's answer"

STORED = 100_000
RUNNING = 10_000
CALLS = 300
BULK = 5_000
PATIENCE = 60.0  #: s that one answer may take

_BARE = "a bare answer"
_TRUE = {"solver": "command", "options": {"argv": ["/bin/true"]}}
_HELD = msgspec.json.encode({**_TRUE, "hold": True})


def run(room: Room, stored: int = STORED, running: int = RUNNING) -> list[Figure]:
    with bare_server(room.fresh()) as place:
        bare = Wire(place)
        plain = percentile(_times(CALLS, lambda: bare.ask("GET", "/")), 50)
        room.tell(f"a bare answer: {plain * 1e3:.2f} ms")
        return [*_many(room, stored, plain), *_busy(room, running, bare)]


class Wire(http.client.HTTPConnection):
    """One connection to a Unix socket, kept open."""

    def __init__(self, place: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._place = place

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._place))

    def ask(self, method: str, target: str, body: bytes | None = None) -> bytes:
        self.request(method, target, body, {"Content-Type": "application/json"} if body else {})
        answer = self.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise CannotMeasure(f"{method} {target}: {answer.status} {content[:200]!r}")
        return content


def _many(room: Room, stored: int, plain: float) -> list[Figure]:
    """Reads of a store with many jobs, none of which runs."""
    store = room.fresh() / "store"
    _fill(store, stored)
    room.tell(f"{stored} jobs are stored")
    figures = []
    with room.service(store) as service:
        wire = Wire(Path(find.running(service.store).socket))
        for what, target, limit in (
            ("a page of 50", "/jobs", 5.0),
            ("a page of 50 in one state", "/jobs?state=held", 5.0),
            ("a page of 50 in two states", "/jobs?state=held,queued", None),
            ("a page of 50 after half of all", f"/jobs?offset={stored // 2}", None),
            ("the counts", "/queue", 5.0),
        ):
            times = _times(CALLS, lambda target=target: wire.ask("GET", target))
            figures.append(
                Figure(
                    name=f"{what}, {stored} jobs, p50",
                    value=percentile(times, 50) * 1e3,
                    unit="ms",
                    ratio=percentile(times, 50) / plain,
                    target=None if limit is None else under(limit),
                    judged=Judged.TIME,
                )
            )
    return figures


def _busy(room: Room, running: int, bare: Wire) -> list[Figure]:
    """Short calls, one after the other, while the shortest jobs go through.

    `bare`, a server that does nothing else, is asked in turn with ours: what it takes is the wait
    for one of two cores that manager, agent, spawners, jobs and this client share.
    """
    with room.service() as service:
        wire = Wire(Path(find.running(service.store).socket))
        jobs = [{**_TRUE, "directory": str(room.fresh())}] * running
        wire.ask("POST", "/jobs", msgspec.json.encode(jobs))
        calls = {
            _BARE: (bare, "GET", "/", None),
            "GET /queue": (wire, "GET", "/queue", None),
            "GET /jobs": (wire, "GET", "/jobs", None),
            "GET /jobs/{id}": (wire, "GET", "/jobs/1", None),
            "POST /jobs/submit": (wire, "POST", "/jobs/submit", _HELD),
        }
        times: dict[str, list[float]] = {call: [] for call in calls}
        while msgspec.json.decode(wire.ask("GET", "/queue"))["total_queued"]:
            for call, (to, method, target, body) in calls.items():
                times[call] += _times(1, lambda w=to, m=method, t=target, b=body: w.ask(m, t, b))
    return [
        Figure(
            name=f"{call} while {running} jobs run, p{percent}",
            value=percentile(taken, percent) * 1e3,
            unit="ms",
            ratio=percentile(taken, percent) / percentile(times[_BARE], percent),
            target=None if call == _BARE or percent == 50 else under(20.0),
            judged=Judged.TIME,
        )
        for call, taken in times.items()
        for percent in (50, 99)
    ]


def _times(count: int, call: Callable[[], object]) -> list[float]:
    """How long each call takes; s."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return times


def _fill(folder: Path, count: int) -> None:
    """A store of held jobs, all different."""
    store = SqliteStore.open(folder)
    for start in range(1, count + 1, BULK):
        numbers = range(start, min(start + BULK, count + 1))
        store.commit([], [_job(number) for number in numbers])
    store.commit([], [Counter(next=count + 1, arrival=count + 1)])
    store.close()


def _job(number: int) -> Job:
    return Job(
        id=JobId(number),
        spec=spec(number),
        owner="bench",
        submitted_at=float(number),
        arrival=number,
        priority=0,
        state=JobState.HELD,
    )


@contextlib.contextmanager
def bare_server(folder: Path) -> Iterator[Path]:
    """A bare server; its socket."""
    place = folder / "s"
    command = [sys.executable, "-m", "benchmarks.bare_http", str(place)]
    server = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    try:
        deadline = time.monotonic() + PATIENCE
        while not place.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise CannotMeasure("the bare aiohttp server doesn't listen")
            time.sleep(0.01)
        yield place
    finally:
        server.terminate()
        server.wait(PATIENCE)
