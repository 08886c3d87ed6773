"""Which backend a message is for: a cluster's, or the agents'."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from solveyard.backends.agents import Agents
from solveyard.backends.base import Abilities, Backend, Order
from solveyard.backends.batch import Batch
from solveyard.model.jobs import AttemptId, Placement
from solveyard.model.messages import (
    AnyObservation,
    Ask,
    Forget,
    Kill,
    Modify,
    Recall,
)

_T = TypeVar("_T")


class Routes:
    """All backends as one. What is for a cluster that the settings name no more goes nowhere."""

    name = "routes"
    abilities = Abilities(places_cores=True, successors=True, holds=True, pending_reasons=True)

    def __init__(self, agents: Agents, clusters: Mapping[str, Batch]) -> None:
        self.agents = agents
        self.clusters = clusters

    @property
    def backends(self) -> list[Agents | Batch]:
        return [self.agents, *self.clusters.values()]

    def blocked(self, attempt: AttemptId, placement: Placement) -> str:
        """Why its backend can't start it now, in its words; "": it didn't say."""
        if not placement.forwarded:
            return self.agents.blocked.get(attempt, "")
        batch = self.clusters.get(placement.machine)
        return "" if batch is None else batch.blocked.get(attempt, "")

    def machines(self) -> list[AnyObservation]:
        """Who answers now, as the observations that said so."""
        return [one for backend in self.backends for one in backend.machines()]

    async def submit(self, orders: Sequence[Order]) -> None:
        for backend, some in self._sorted(orders, lambda order: order.launch.placement):
            await backend.submit(some)

    async def recall(self, recalls: Sequence[Recall]) -> None:
        for backend, some in self._sorted(recalls, lambda recall: recall.placement):
            await backend.recall(some)

    async def kill(self, kills: Sequence[Kill]) -> None:
        for backend, some in self._sorted(kills, lambda kill: kill.placement):
            await backend.kill(some)

    async def modify(self, modifies: Sequence[Modify]) -> None:
        for backend, some in self._sorted(modifies, lambda modify: modify.placement):
            await backend.modify(some)

    async def forget(self, forgets: Sequence[Forget]) -> None:
        for backend, some in self._sorted(forgets, lambda forget: forget.placement):
            await backend.forget(some)

    async def ask(self, ask: Ask) -> None:
        await self.clusters.get(ask.machine, self.agents).ask(ask)

    def _sorted(
        self, messages: Iterable[_T], placement: Callable[[_T], Placement]
    ) -> list[tuple[Backend, list[_T]]]:
        found: dict[str, list[_T]] = {}
        for message in messages:
            at = placement(message)
            found.setdefault(at.machine if at.forwarded else "", []).append(message)
        known: dict[str, Backend] = {"": self.agents, **self.clusters}
        return [(known[name], some) for name, some in found.items() if name in known]
