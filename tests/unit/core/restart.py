"""Does an engine that was restored from its records decide as the one that lived on?"""

import copy

import msgspec

from solveyard.core.engine import Engine
from solveyard.model.errors import InvalidRequest
from solveyard.model.ids import array_of
from solveyard.model.jobs import (
    JobId,
    JobSpec,
    Outcome,
    Reason,
    Usage,
)
from solveyard.model.messages import (
    Accepted,
    AnyObservation,
    Cancel,
    Ended,
    Message,
    Missing,
    Recall,
    Recalled,
    Sampled,
    Stale,
    Started,
    Submit,
    Ticked,
)
from unit.core.wishes import SHAPES
from unit.core.world import BRIEF, World

News = list[tuple[int, int]]  #: each chooses a message: its kind, and whom it is about


def decide_alike(live: Engine, fresh: Engine, world: World, now: float, news: News) -> None:
    """All machines lose the one manager and join the other: both decide alike from there."""
    world, live = copy.deepcopy(world), copy.deepcopy(live)
    for spawner in world.spawners.values():
        live.handle(spawner.leave(), now)
    for machine in world.machines.values():
        live.handle(machine.leave(), now)
    messages: list[Message] = [machine.join() for machine in world.machines.values()]
    messages += [spawner.join() for spawner in world.spawners.values()]
    for message in messages:
        assert decision(live, message, now) == decision(fresh, message, now)
    for kind, index in news:
        now += 0.06
        told = some_news(live, kind, index)
        assert decision(live, told, now) == decision(fresh, told, now)
    numbers = [JobId(number) for number in range(1, live.counter.next)]
    assert {i: live.look(i) for i in numbers} == {i: fresh.look(i) for i in numbers}
    assert live.jobs == fresh.jobs  # all are back


def decision(engine: Engine, message: Message, now: float) -> object:
    """What the engine makes of it; a recall may be repeated, so none counts."""
    try:
        step = engine.handle(message, now)
    except InvalidRequest as refusal:
        return type(refusal), str(refusal)
    return step.events, [action for action in step.actions if not isinstance(action, Recall)]


def some_news(engine: Engine, kind: int, index: int) -> Message:
    """Something that could be said next, chosen by two numbers."""
    tasks = [i for i in engine.jobs if array_of(i) is not None]
    ids = [*map(JobId, range(1, engine.counter.next)), *tasks] or [JobId(1)]
    job_id = ids[index % len(ids)]
    live = [job.attempts[-1] for job in engine.jobs.values() if job.live_attempt is not None]
    if not live or kind > 7:
        spec = JobSpec(solver="x", options=msgspec.Raw(SHAPES[index % 3]), priority=index % 3 - 1)
        sample = Sampled(machine="m", cpu=index % 9, memory_free=index, disk_free=index)
        others: list[Message] = [Submit(specs=(spec,) * 3), Cancel(job=job_id), Ticked(), sample]
        return others[kind % 4]
    attempt = live[index % len(live)]
    at = attempt.placement
    success = Outcome(reason=Reason.SUCCESS)
    reports: list[AnyObservation] = [
        Accepted(attempt=attempt.id, native_id=""),
        Started(attempt=attempt.id, native_id="1", at=1.0),
        Ended(attempt=attempt.id, outcome=success, usage=Usage(wall=BRIEF)),
        Ended(attempt=attempt.id, outcome=Outcome(reason=Reason.EXIT_CODE)),
        Recalled(attempt=attempt.id),
        Missing(attempt=attempt.id, boot_id=at.boot_id, ledger=at.ledger),
        Missing(attempt=attempt.id, boot_id="another", ledger=at.ledger),
        Stale(attempt=attempt.id),
    ]
    return reports[kind]
