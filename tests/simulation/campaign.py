"""One seed: a campaign, the faults that strike it, and whether every promise was kept."""

import contextlib
import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from simulation.judge import Judge
from simulation.machines import AgentProcess, Machine
from simulation.network import AgentSocket
from simulation.people import People
from simulation.restart import decides_alike
from simulation.service import InlineWorkers, Service
from simulation.world import Clock, Violation, World
from solveyard.agent import connection, identity, ledger, recovery, runs
from solveyard.manager import (
    clock,
    following,
    manager,
    ondisk,
    ordering,
    retaining,
    stalling,
    turns,
    verdicts,
)
from solveyard.model.errors import StoreError
from solveyard.notify import room

REQUESTS = (2, 3, 4, 5, 9)  #: how many there may be
BUSY = 5.0  #: s over which they are spread
TROUBLE = 60.0  #: s after which nothing more goes wrong
LONGEST = 600.0  #: s that all may take
REACH = 250  #: boundaries among which faults strike; about as many as a campaign has


class Result(NamedTuple):
    trace: str
    boundaries: int
    jobs: int
    starts: int
    struck: Counter[str]


class Campaign:
    def __init__(self, seed: int, *, verbose: bool = False) -> None:
        self.world = World(seed, verbose=verbose)
        self.judge = Judge(self.world)
        self.service = Service(self.world, self.judge)
        self.people = People(self.world, self.service)
        self.struck: Counter[str] = Counter()
        draw = self.world.random
        self.machines = [
            Machine(
                self.world, self.judge, self.service, f"m{n}", draw.choice([2, 4]),
                draw.choice([1, 2]),
            )
            for n in range(draw.choice([1, 1, 2]))
        ]  # fmt: skip

    def run(self, strikes: dict[int, str] | None = None) -> Result:
        """`strikes`: boundary to the fault that strikes there; None: as the seed has it."""
        with replaced(self):
            return self._run(self._drawn() if strikes is None else strikes)

    def _run(self, strikes: dict[int, str]) -> Result:
        world = self.world
        for boundary, kind in strikes.items():
            world.strikes[boundary] = FAULTS[kind](self, kind)
        self.service.start()
        for machine in self.machines:
            machine.boot()
        self.people.plan(world.random.choice(REQUESTS), BUSY)
        until = world.now
        world.run(until + TROUBLE, lambda: self.settled and world.now > until + BUSY)
        world.strikes.clear()
        world.random.seed(world.boundaries)  # what follows doesn't depend on what was left to draw
        self._recover()
        world.run(until + LONGEST / 2, lambda: self.settled)
        self.people.wind_down()
        world.run(until + LONGEST, lambda: self.settled)
        self.people.check()
        self.judge.all_is_explained()
        self.judge.is_as_stored(self.service.store.load().jobs)
        world.run(world.now + 2 * TROUBLE, lambda: not self._left)  # all ends are acknowledged
        if self._left:
            raise Violation(f"nobody acknowledged {self._left}")
        result = Result(
            world.trace, world.boundaries, len(self.judge.jobs), len(self.judge.truths), self.struck
        )
        self.service.kill(1000.0)
        self.service.bury()
        return result

    @property
    def settled(self) -> bool:
        return not self.people.waiting and not self.judge.unfinished

    def process(self, name: str) -> AgentProcess:
        """The newest that has this name."""
        name, _, index = name.partition(".")
        machine = next(machine for machine in self.machines if machine.name == name)
        process = machine.spawners[int(index)] if index else machine.agent
        assert process is not None
        return process

    def _drawn(self) -> dict[int, str]:
        draw = self.world.random
        count = draw.choice([1, 1, 2, 3, 5])
        return {draw.randrange(1, REACH): draw.choice(KINDS) for _ in range(count)}

    def _recover(self) -> None:
        """Disks have room; who is down comes back by itself."""
        self.service.disk.full.clear()
        if self.service.life is not None:
            self.service.life.store.fails_until = 0.0

    @property
    def _left(self) -> list[str]:
        """Ends that ledgers keep."""
        spawners = [one for machine in self.machines for one in machine.spawners.values()]
        ledgers = [one.ledger for one in spawners if one.ledger is not None]
        return [a for ledger in ledgers for a, entry in ledger.entries.items() if entry.ended]

    # Faults

    def _count(self, kind: str) -> None:
        self.struck[kind] += 1
        self.world.note(f"fault {kind}")

    def kill_manager(self) -> None:
        life = self.service.life
        if life is not None and not life.dead and self.world.chance(0.3):
            self.struck["restored engines compared"] += decides_alike(self.service, life)
        self.service.kill(self.world.random.choice([0.0, 0.5, 5.0, 20.0]))

    def stop_manager(self) -> None:
        """As a person does it."""
        life = self.service.life
        if life is not None and not life.dead:
            how = self.world.random.choice(["leave", "now"])
            self.judge.stops += how == "now"

            async def stop() -> None:
                with contextlib.suppress(StoreError):
                    await life.manager.stop(how)
                self.service.kill(1.0)

            life.start(stop)

    def kill_spawner(self) -> None:
        machine = self.world.one_of(self.machines)
        alive = [one for one in machine.spawners.values() if one.alive]
        if alive:
            self.judge.mishaps += 1
            machine.kill(self.world.one_of(alive))

    def kill_agent(self) -> None:
        machine = self.world.one_of(self.machines)
        if machine.agent is not None and machine.agent.alive:
            machine.kill(machine.agent)

    def crash_machine(self) -> None:
        machine = self.world.one_of(self.machines)
        if machine.up:
            machine.crash()
            if machine is self.machines[0]:  # the manager runs there
                self.service.kill(self.world.random.choice([0.5, 45.0]))

    def cut_connection(self) -> None:
        everybody = [one for machine in self.machines for one in machine.everybody]
        connected = [one.connection for one in everybody if one.connection is not None]
        if connected:
            self.world.one_of(connected).cut()

    def fill_store(self) -> None:
        if self.service.life is not None:
            self.service.life.store.fails_until = self.world.now + self.world.random.choice(
                [0.01, 3.0]
            )

    def fill_disk(self) -> None:
        name = self.world.one_of(self.machines).name
        self.service.disk.full.add(name)
        self.world.at(self.world.random.choice([0.01, 3.0]), self.service.disk.full.discard, name)

    def pause_process(self) -> None:
        everybody = [one for machine in self.machines for one in machine.everybody]
        if everybody:
            seconds = self.world.random.choice([1.0, 15.0, 40.0])
            self.world.one_of(everybody).loop.stopped_until = self.world.now + seconds


def _fault(act: Callable[[Campaign], None]) -> Callable[[Campaign, str], Callable[[], None]]:
    def bound(campaign: Campaign, kind: str) -> Callable[[], None]:
        def strike() -> None:
            campaign._count(kind)
            act(campaign)

        return strike

    return bound


FAULTS = {
    "manager": _fault(Campaign.kill_manager),
    "stop": _fault(Campaign.stop_manager),
    "spawner": _fault(Campaign.kill_spawner),
    "agent": _fault(Campaign.kill_agent),
    "machine": _fault(Campaign.crash_machine),
    "connection": _fault(Campaign.cut_connection),
    "store": _fault(Campaign.fill_store),
    "disk": _fault(Campaign.fill_disk),
    "pause": _fault(Campaign.pause_process),
}
KINDS = ["manager", "manager", "spawner", "machine", "connection", *FAULTS]


@contextlib.contextmanager
def replaced(campaign: Campaign) -> Iterator[None]:
    """The modules under test see the simulated time, disk, network and threads."""
    world, service = campaign.world, campaign.service
    time = Clock(world)
    random = world.random

    def dial(path: str) -> AgentSocket | None:
        process = campaign.process(path)
        end = AgentSocket(process.loop)
        if not process.alive or service.dial(end) is None:
            return None
        process.sockets.append(end)
        return end

    InlineWorkers.world = world
    places: list[tuple[Any, str, object]] = [
        *((module, "time", time) for module in (clock, connection, recovery, runs, room)),
        *(
            (module, "Workers", InlineWorkers)
            for module in (turns, manager, verdicts, following, stalling, retaining, room)
        ),
        (ondisk, "AT_HAND", 1),
        (ondisk, "SHORT", 0),
        (ordering, "Path", _NoFolder),
        (ledger, "os", service.disk),
        (ledger, "open", service.disk.read),
        (ledger, "secrets", _Secrets(random.getrandbits)),
        (ledger, "LIMIT", 3000),
        (identity, "os", _Process),
        (connection, "_dial_unix", dial),
    ]
    before = [(module, name, vars(module).get(name)) for module, name, _ in places]
    level = logging.getLogger("solveyard").level
    logging.getLogger("solveyard").setLevel(logging.CRITICAL + 1)
    for module, name, value in places:
        setattr(module, name, value)
    try:
        yield
    finally:
        logging.getLogger("solveyard").setLevel(level)
        for module, name, value in before:
            if value is None:
                delattr(module, name)
            else:
                setattr(module, name, value)


class _NoFolder:
    """A path whose folder need not be made."""

    def __init__(self, path: str) -> None:
        pass

    def mkdir(self, **how: object) -> None:
        pass


class _Process:
    @staticmethod
    def getpid() -> int:
        return 1234


class _Secrets:
    def __init__(self, bits: Callable[[int], int]) -> None:
        self._bits = bits

    def token_hex(self, size: int) -> str:
        return f"{self._bits(8 * size):0{2 * size}x}"


def run(seed: int, strikes: dict[int, str] | None = None, *, verbose: bool = False) -> Result:
    """One campaign. Raises Violation, or AssertionError, where a promise is broken."""
    gc.disable()  # it would take a quarter of the time
    try:
        return Campaign(seed, verbose=verbose).run(strikes)
    finally:
        gc.enable()
