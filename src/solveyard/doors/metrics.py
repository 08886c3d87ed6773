"""Figures for Prometheus."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from solveyard.manager.manager import Manager

CONTENT = "text/plain; version=0.0.4; charset=utf-8"


def text(manager: Manager) -> bytes:
    """In Prometheus's text format, as of now."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(manager))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("solveyard_jobs", "Jobs in each state.", labels=["state"])
        for state, count in self._manager.counts().items():
            jobs.add_metric([state.value], count)
        yield jobs
        last = self._manager.last_event
        yield CounterMetricFamily("solveyard_events", "Events in the store's log.", value=last)
        status = self._manager.status()
        accepting = 0 if status.get("blocked") or status.get("stopping") else 1
        yield GaugeMetricFamily("solveyard_accepting", "1: jobs are accepted.", value=accepting)
        machines: Any = status.get("machines") or {}
        yield from _machines(machines)


def _machines(machines: dict[str, Any]) -> Iterator[Metric]:
    mebi = 1 << 20
    told: dict[str, tuple[str, Callable[[Any], float]]] = {
        "connected": ("1: the machine's agent is connected.", lambda m: int(m["connected"])),
        "cores": ("Cores that jobs may use.", lambda m: m["cores"]),
        "free_cores": ("Cores that no job has.", lambda m: m["free_cores"]),
        "cpu_percent": ("Of all cores, in use.", lambda m: m["sample"]["cpu"]),
        "memory_free_bytes": ("Free.", lambda m: m["sample"]["memory_free"] * mebi),
        "memory_bytes": ("In all.", lambda m: m["sample"]["memory_total"] * mebi),
        "disk_free_bytes": ("Free for the store.", lambda m: m["sample"]["disk_free"] * mebi),
    }
    for name, (help_, value) in told.items():
        figure = GaugeMetricFamily(f"solveyard_machine_{name}", help_, labels=["machine"])
        for machine, now in machines.items():
            if "sample" in now and (now["sample"] or name in {"connected", "cores", "free_cores"}):
                figure.add_metric([machine], value(now))
        yield figure
