"""Does an engine that is restored from the store decide as the one that lives?"""

import copy
from collections.abc import Mapping

from simulation.service import UUID, Life, Service
from solveyard.core.engine import Engine
from solveyard.core.shelf import Shelf
from solveyard.model.jobs import Job, JobId, JobState
from solveyard.model.messages import (
    AgentLeft,
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
    away, over = _away(engine, on_disk)
    jobs = {one: job for one, job in on_disk.items() if one not in {*away, *over}}
    known = (engine.jobs, engine.limits, engine.counter)
    if engine.draining or known != (jobs, state.limits, state.counter):
        return False
    if copy.deepcopy(engine).scheduler.seating.gone_stale(world.now + SOON):
        return False  # the other can't know for how long somebody was away before it began
    live = copy.deepcopy(engine)
    pace = copy.deepcopy(engine.scheduler.pace)
    shelf = Shelf(turns.kept.shelf._fetch, away.items(), service.store.jobs)
    live._board.shelf._reread = service.store.jobs  # the manager's would have it take note of them
    for one, ended in over.items():
        shelf.put_whole(one, ended)
    names = {name: one for one in over if (name := on_disk[one].spec.name)}
    known = state.limits, state.counter, pace
    fresh = Engine(UUID, jobs.values(), *known, shelf=shelf, names=names)
    now = world.now + 0.001
    machines = life.agents.machines()
    seats, there = live.scheduler.seating._seats, live.inventory.machines
    gone: list[AgentLeft | SpawnerLeft] = [
        *(SpawnerLeft(machine=at, spawner=one) for (at, one), s in seats.items() if s.connected),
        *(AgentLeft(machine=name) for name, machine in there.items() if machine.connected),
    ]  # those, too, of whose leaving it has not heard yet
    for left in gone:
        live.handle(left, now)
    draw = [(world.random.randrange(10), world.random.randrange(100)) for _ in range(4)]
    for message in (*machines, *draw, Ticked()):
        if message not in machines and _licences(live) != _licences(fresh):
            return False  # the other can't know what an agent offered that is away now
        now += 0.06
        told = some_news(live, *message) if isinstance(message, tuple) else message
        if decision(live, told, now) != decision(fresh, told, now):
            raise world.violated(f"a restored engine decides otherwise when told {told}")
    if any(live.look(one) != fresh.look(one) for one in {*on_disk, *live.jobs, *fresh.jobs}):
        raise world.violated("a restored engine comes to other jobs")
    return True


def _licences(engine: Engine) -> dict[str, int]:
    return engine.inventory.seats.all()


def _away(
    engine: Engine, on_disk: Mapping[JobId, Job]
) -> tuple[dict[JobId, JobState], dict[JobId, JobState]]:
    """Tasks and whole jobs that have ended and are on the engine's shelf; what it has removed,
    though that isn't on disk yet, is not.
    """
    gone = [one for one in on_disk if engine.jobs.at_hand(one) is None]
    states = {one: on_disk[one].state for one in gone if on_disk[one].state.final}
    shelf = engine._board.shelf
    tasks = {one: state for one, state in states.items() if shelf.state(one) is not None}
    whole = {one: state for one, state in states.items() if shelf.whole(one) is not None}
    return tasks, whole
