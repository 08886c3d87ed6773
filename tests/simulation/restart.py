"""Does an engine that is restored from the store decide as the one that lives?"""

import copy

from simulation.service import UUID, Life, Service
from solveyard.core.engine import Engine
from solveyard.model.messages import (
    AgentJoined,
    AgentLeft,
    AnyObservation,
    SpawnerJoined,
    SpawnerLeft,
    Ticked,
)
from unit.core.restart import decision, some_news

SOON = 1.0  #: s that all that is told takes, at most


def decides_alike(service: Service, life: Life) -> bool:
    """Whether it was asked: between two turns, and not while it stops."""
    world, turns, state = service.world, life.manager._turns, service.store.load()
    engine = turns.engine
    on_disk = {job.id: job for job in state.jobs}
    away = {one for one in on_disk if turns.kept.shelf.state(one) and one not in engine.jobs}
    jobs = {one: job for one, job in on_disk.items() if one not in away}
    known = (engine.jobs, engine.limits, engine.counter)
    if engine.draining or known != (jobs, state.limits, state.counter):
        return False
    if copy.deepcopy(engine).scheduler.seating.gone_stale(world.now + SOON):
        return False  # the other can't know for how long somebody was away before it began
    live = copy.deepcopy(engine)
    pace = copy.deepcopy(engine.scheduler.pace)
    shelf = turns.kept.shelf
    fresh = Engine(UUID, jobs.values(), state.limits, state.counter, pace, shelf=shelf)
    now = world.now + 0.001
    machines = life.agents.machines()
    unheard = [*(message for message, _ in turns._inbox), *life.agents._reports]
    gone = [message for message in unheard if isinstance(message, AgentLeft | SpawnerLeft)]
    gone += [left for one in machines if (left := _left(one)) is not None]
    for left in gone:
        live.handle(left, now)
    draw = [(world.random.randrange(10), world.random.randrange(100)) for _ in range(4)]
    for message in (*machines, *draw, Ticked()):
        now += 0.06
        told = some_news(live, *message) if isinstance(message, tuple) else message
        if decision(live, told, now) != decision(fresh, told, now):
            raise world.violated(f"a restored engine decides otherwise when told {told}")
    if live.jobs != fresh.jobs:
        raise world.violated("a restored engine comes to other jobs")
    return True


def _left(joined: AnyObservation) -> AgentLeft | SpawnerLeft | None:
    match joined:
        case AgentJoined(machine=machine):
            return AgentLeft(machine=machine)
        case SpawnerJoined(machine=machine, spawner=spawner):
            return SpawnerLeft(machine=machine, spawner=spawner)
        case _:
            return None
