"""One engine and one machine with a spawner, told by hand what happens."""

import msgspec

from solveyard.core.engine import Engine, Step
from solveyard.model.jobs import AttemptId, Job, JobId, JobSpec, Outcome, Reason, Usage
from solveyard.model.messages import (
    AgentJoined,
    Ended,
    Launch,
    Message,
    Recall,
    SpawnerJoined,
    SpawnerLeft,
    Started,
    Submit,
)
from solveyard.model.resources import Resources
from solveyard.model.shares import NO_SHARES, Shares


class Drive:
    """Sends messages at `now`, and gathers launches in order."""

    def __init__(self, cores: int = 1, *, joined: bool = True, shares: Shares = NO_SHARES) -> None:
        self.shares = shares
        self.engine = Engine("u", shares=shares)
        self.now = 100.0
        self.cores = cores
        self.launches: list[Launch] = []
        self.step = Step([], [], lambda: None)
        if joined:
            self.join()

    def send(self, message: Message, *, after: float = 0.0) -> Step:
        self.now += after
        self.step = self.engine.handle(message, self.now)
        self.launches += [action for action in self.step.actions if isinstance(action, Launch)]
        return self.step

    def join(self, boot_id: str = "boot", ledger: str = "ledger") -> Step:
        nodes = {"a": Resources(cores=self.cores, memory=100)}
        self.send(AgentJoined(machine="m", nodes=nodes, boot_id=boot_id, licences={"hfss": 1}))
        return self.send(SpawnerJoined(machine="m", spawner=0, boot_id=boot_id, ledger=ledger))

    def leave(self) -> Step:
        return self.send(SpawnerLeft(machine="m", spawner=0))

    def submit(self, *specs: JobSpec, by: str = "") -> list[JobId]:
        known = set(self.engine.jobs)
        self.send(Submit(specs=specs, by=by))
        return [job_id for job_id in self.engine.jobs if job_id not in known]

    def one(self, **fields: object) -> JobId:
        """Submit a job of these fields."""
        return self.submit(JobSpec(solver="x", **fields))[0]  # type: ignore[arg-type]  # any field

    def job(self, job_id: JobId) -> Job:
        return self.engine.jobs[job_id]

    def attempt(self, job_id: JobId) -> AttemptId:
        return self.job(job_id).attempts[-1].id

    def start(self, job_id: JobId) -> Step:
        return self.send(Started(attempt=self.attempt(job_id), native_id="7", at=1.0))

    def end(self, job_id: JobId, reason: Reason = Reason.SUCCESS, wall: float = 5.0) -> Step:
        usage = Usage(wall=wall)
        outcome = Outcome(reason=reason)
        return self.send(Ended(attempt=self.attempt(job_id), outcome=outcome, usage=usage))

    def restored(self) -> Engine:
        """A second engine, from the records of this one."""
        jobs = msgspec.json.decode(
            msgspec.json.encode([*self.engine.jobs.values()]), type=list[Job]
        )
        return Engine(
            "u",
            sorted(jobs, key=lambda job: job.id),
            self.engine.limits,
            self.engine.counter,
            shares=self.shares,
            spent=self.engine.spent.values(),
        )

    def launched(self) -> list[JobId]:
        return [launch.job for launch in self.launches]

    def recalled(self) -> list[AttemptId]:
        return [action.attempt for action in self.step.actions if isinstance(action, Recall)]

    def why(self, job_id: JobId) -> str:
        return self.engine.why(job_id)
