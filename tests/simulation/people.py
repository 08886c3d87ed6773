"""What people ask for: a campaign of requests, each repeated under its key until it is answered."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from simulation.service import Life, Service
from simulation.world import World
from solveyard.manager.manager import Manager
from solveyard.model.arrays import ArraySpec
from solveyard.model.errors import InternalFault, InvalidRequest, StoreError
from solveyard.model.jobs import JobId, JobSpec, JobState, Limits
from solveyard.model.messages import (
    Annotate,
    AnyRequest,
    Cancel,
    Hold,
    Release,
    Retry,
    SetLimits,
    SetPriority,
)
from solveyard.model.policies import Dependency, RetryPolicy
from solveyard.model.resources import Resources

AGAIN = 0.5  #: s between two tries of a request
REPEATED = 0.15  #: of the answers get lost on their way, and the request is made once more
BETWEEN = 8.0  #: s until then, at most
Asking = Callable[[Manager], Awaitable[Any]]


class People:
    """They know only what they were told."""

    def __init__(self, world: World, service: Service) -> None:
        self.known: list[JobId] = []  #: submitted, and acknowledged
        self.waiting = 0  #: requests without an answer
        self.refused = 0
        self._world = world
        self._service = service
        self._submitted: dict[str, list[JobId]] = {}
        self._removed: set[JobId] = set()
        self._keys = 0
        self._names: list[str] = []

    def plan(self, requests: int, seconds: float) -> None:
        """So many, spread over that time; the first is a submission."""
        for number in range(requests):
            at = self._world.random.random() * seconds if number else 0.0
            self._world.at(at, self._submit if number < requests // 2 else self._change)

    def wind_down(self) -> None:
        """No limit is left, and nothing is held."""
        self._ask(lambda manager: manager.request(SetLimits(limits=Limits())))
        for job in self._service.judge.jobs.values():
            if job.state is JobState.HELD or job.held:
                self._ask(self._request(Release(job=job.id, key=self._key())))

    def check(self) -> None:
        """What was acknowledged is there."""
        jobs = self._service.judge.jobs
        for key, ids in self._submitted.items():
            for job in ids:
                if job not in jobs and job not in self._removed:
                    raise self._world.violated(
                        f"job {job} was acknowledged under {key}, and is missing"
                    )

    # Requests

    def _submit(self) -> None:
        specs = [self._spec() for _ in range(self._world.random.choice([1, 1, 2, 4]))]
        key = self._key()

        async def asking(manager: Manager) -> None:
            jobs, _ = await manager.submit_once(specs, "eve", key)
            self._acknowledged(key, [job.id for job in jobs], len(specs))

        self._ask(asking)

    def _acknowledged(self, key: str, ids: list[JobId], expected: int) -> None:
        on_disk = self._service.judge.jobs
        before = {*self._submitted.get(key, ())}
        if gone := before & self._removed:  # who is left is told; once all are gone, it is free
            if not (set(ids) <= before or before == gone):
                raise self._world.violated(
                    f"{key} is answered by {ids}, of {before} without {gone}"
                )
            return
        if len(ids) != expected or any(job not in on_disk for job in ids):
            raise self._world.violated(f"{key} is answered by {ids}, of {expected} jobs")
        if {*self._submitted.setdefault(key, ids)} != {*ids}:
            raise self._world.violated(f"{key} is answered by {ids} after {self._submitted[key]}")
        self.known += [job for job in ids if job not in self.known]

    def _change(self) -> None:
        if not self.known:
            self._submit()
            return
        draw = self._world.random
        job, key = draw.choice(self.known), self._key()
        kind = draw.randrange(12)
        wishes: list[AnyRequest] = [
            Cancel(job=job, key=key),
            Hold(job=job, key=key),
            Release(job=job, key=key),
            Retry(job=job, key=key),
            SetPriority(job=job, priority=draw.randrange(-3, 4), key=key),
            Annotate(job=job, add_tags=(key,), key=key),
            SetLimits(limits=Limits(max_concurrent=draw.choice([None, 1, 2]))),
            SetLimits(limits=Limits(max_cpu_percent=draw.choice([None, 50.0]))),
        ]
        if kind == 8:
            self._ask(self._remove(job))
        elif kind > 8:
            self._submit()
        else:
            self._ask(self._request(wishes[kind]))

    def _request(self, wish: AnyRequest) -> Asking:
        return lambda manager: manager.request(wish)

    def _remove(self, job: JobId) -> Asking:
        async def asking(manager: Manager) -> None:
            self._removed.add(job)
            await manager.remove(job, "eve")

        return asking

    # How they are asked

    def _ask(self, asking: Asking) -> None:
        self.waiting += 1
        self._try(asking)

    def _try(self, asking: Asking) -> None:
        life = self._service.life
        if life is None or life.dead:
            self._world.at(AGAIN, self._try, asking)
            return
        life.start(self._until_answered, life, asking)

    async def _until_answered(self, life: Life, asking: Asking) -> None:
        try:
            await asking(life.manager)
        except InternalFault as fault:
            raise self._world.violated(str(fault)) from fault
        except InvalidRequest:
            self.refused += 1
        except StoreError:
            self._world.at(AGAIN, self._try, asking)
            return
        except asyncio.CancelledError:  # it died, and the answer with it
            self._world.at(AGAIN, self._try, asking)
            raise
        if life.dead:
            self._world.at(AGAIN, self._try, asking)
        elif self._world.chance(REPEATED):
            self._world.at(self._world.random.random() * BETWEEN, self._try, asking)
        else:
            self.waiting -= 1

    def _key(self) -> str:
        self._keys += 1
        return f"key{self._keys}"

    # Jobs

    def _spec(self) -> JobSpec:
        draw = self._world.random
        seconds = draw.choice([0.001, 0.01, 0.01, 0.5, 3.0, 12.0])
        codes = draw.choice(["0", "0", "0", "1", "1,0", "3,3,0"])
        argv = ["run", str(seconds), codes]
        if draw.random() < 0.1:
            argv.append("obstinate")
        shape = draw.random()
        licences = {"hfss": draw.choice([1, 2])} if shape < 0.15 else {}
        after: tuple[Dependency, ...] = ()
        if self.known and draw.random() < 0.25:
            after = (
                Dependency(
                    job=str(draw.choice(self.known)),
                    on=draw.choice(["success", "end", "failure"]),
                ),
            )
        return JobSpec(
            solver="command",
            options=msgspec.Raw(msgspec.json.encode({"argv": argv})),
            directory="/",
            name=f"job{self._key()}" if draw.random() < 0.2 else "",
            priority=draw.choice([0, 0, 0, 1, -1]),
            resources=Resources(cores=draw.choice([1, 1, 1, 2]), licences=licences),
            time_limit=draw.choice([None, None, None, 2.0]),
            grace=draw.choice([0.1, 5.0]),
            exclusive=("project",) if 0.15 < shape < 0.25 else (),
            hold=draw.random() < 0.1,
            array=ArraySpec(stop=draw.choice([2, 3, 5])) if 0.3 < shape < 0.45 else None,
            retry=RetryPolicy(tries=3, delay=draw.choice([0.0, 1.0])) if shape > 0.7 else None,
            after=after,
        )
