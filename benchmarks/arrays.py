"""What an array of a million tasks costs: to be accepted, to be kept in memory, to come back."""

import statistics
import time
from pathlib import Path

import msgspec
from msgspec.structs import replace

from benchmarks.api import Wire
from benchmarks.figures import Figure, Judged, under
from benchmarks.restart import BEGUN, PACE, attempt
from benchmarks.room import Room
from solveyard.client import find
from solveyard.model.arrays import ArraySpec
from solveyard.model.ids import task_id
from solveyard.model.jobs import Counter, Job, JobId, JobSpec, JobState
from solveyard.store.sqlite import SqliteStore

name = "arrays"
sentence = "an array of 1 000 000 tasks: accepted, in memory, and half done at a restart"

TASKS = 1_000_000
ROUNDS = 5
_SLICE = 5000  #: tasks in one commit
_BODY = {"solver": "command", "options": {"argv": ["/bin/true", "{{index}}"]}, "hold": True}


def run(room: Room, tasks: int = TASKS) -> list[Figure]:
    body = msgspec.json.encode({**_BODY, "array": {"stop": tasks}})
    times = []
    with room.service() as service:
        wire = Wire(Path(find.running(service.store).socket))
        wire.ask("POST", "/jobs", msgspec.json.encode({**_BODY, "array": {"stop": 10}}))
        before = service.manager.memory_info().rss
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            wire.ask("POST", "/jobs", body)
            times.append(time.perf_counter() - begun)
        grown = (service.manager.memory_info().rss - before) / ROUNDS
    room.tell(f"accepted in {statistics.median(times) * 1e3:.1f} ms")
    store = room.fresh() / "store"
    fill(store, tasks)
    room.tell(f"of an array of {tasks} tasks half have ended")
    with room.service(store) as service:
        again = service.ready_after
    return [
        Figure(name=f"an array of {tasks}, accepted", value=statistics.median(times) * 1e3,
               unit="ms", goal=under(50), judged=Judged.TIME),
        Figure(name="its memory", value=grown / 1e6, unit="MB", goal=under(1),
               judged=Judged.AMOUNT),
        Figure(name="restart until ready, half of it done", value=again, unit="s",
               goal=under(3), judged=Judged.TIME),
    ]  # fmt: skip


def fill(folder: Path, tasks: int) -> None:
    """Make a store with an array whose first half has ended, and which is held since."""
    store = SqliteStore.open(folder)
    array = Job(
        id=JobId(1),
        spec=JobSpec(
            solver="command",
            options=msgspec.Raw(b'{"argv":["/bin/true","{{index}}"]}'),
            array=ArraySpec(stop=tasks),
            hold=True,
        ),
        owner="engineer",
        submitted_at=BEGUN,
        arrival=1,
        priority=0,
        state=JobState.HELD,
    )
    try:
        store.commit([], [array, Counter(next=2, arrival=2)])
        for start in range(0, tasks // 2, _SLICE):
            places = range(start, min(start + _SLICE, tasks // 2))
            store.commit([], [_ended_task(store.uuid, array, place) for place in places])
        store.checkpoint()
    finally:
        store.close()


def _ended_task(uuid: str, array: Job, place: int) -> Job:
    tried = attempt(uuid, place, BEGUN + place * PACE)
    return replace(
        array,
        id=task_id(array.id, place),
        state=JobState.COMPLETED,
        attempts=(tried,),
        outcome=tried.outcome,
        ended_at=tried.ended_at,
    )
