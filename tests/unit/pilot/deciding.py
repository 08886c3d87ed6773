"""An engine on QCG-PilotJob's nodes, and what it decides on its clients' requests."""

from typing import Any

from solveyard.core.engine import Engine
from solveyard.model.jobs import JobId, Outcome, Reason
from solveyard.model.messages import AgentJoined, Ended, Launch, SpawnerJoined, Submit
from solveyard.pilot import translation

Cores = dict[str, tuple[int, ...]]  #: by node, the numbers of the cores that a job was given
VARIABLES = {"rcnt": "1", "uniq": "u", "sname": "local", "date": "", "time": "", "dateTime": ""}


class Deciding:
    def __init__(self, nodes: str) -> None:
        self.engine = Engine("u")
        self.started: list[str] = []  #: labels, in order
        self.cores: dict[str, Cores] = {}  #: by label
        self._running: dict[str, Launch] = {}
        self._send(AgentJoined(machine="m", nodes=translation.nodes(nodes), boot_id="b"))
        self._send(SpawnerJoined(machine="m", spawner=0, boot_id="b", ledger="l"))

    def submit(self, jobs: list[dict[str, Any]]) -> None:
        """Raises InvalidRequest."""
        there = self.engine.jobs.values()
        arrays = {job.spec.name: job.spec.array for job in there if job.spec.array is not None}
        self._send(Submit(specs=tuple(translation.jobs(jobs, VARIABLES, "/", arrays))))

    def end(self, label: str, reason: Reason = Reason.SUCCESS) -> None:
        launch = self._running.pop(label)
        self._send(Ended(attempt=launch.attempt, outcome=Outcome(reason=reason)))

    @property
    def running(self) -> list[str]:
        return list(self._running)

    def reason(self, name: str) -> Reason | None:
        """Why it ended."""
        outcome = self.engine.jobs[self.engine.names[name]].outcome
        return outcome.reason if outcome is not None else None

    def amounts(self, name: str) -> list[int]:
        """Cores of each of its iterations that has started, in their order."""
        told = []
        for label, cores in self.cores.items():
            if label.startswith(f"{name}["):
                number = int(label.partition("[")[2].rstrip("]"))
                told.append((number, sum(map(len, cores.values()))))
        return [amount for _, amount in sorted(told)]

    def _send(self, message: Any) -> None:
        step = self.engine.handle(message, 1.0)
        for action in step.actions:
            if isinstance(action, Launch):
                label = self._label(action.job)
                self.started.append(label)
                shares = action.placement.allocation.shares
                self.cores[label] = {share.node: share.core_ids for share in shares}
                self._running[label] = action

    def _label(self, job: JobId) -> str:
        found = self.engine.look(job)
        assert found is not None
        return found.label
