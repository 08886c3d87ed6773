"""How busy this machine is."""

import asyncio
import datetime as dt
from typing import Any

_GB = 1 << 30


class ResourceMonitor:
    """Samples this machine every `update_interval` s, while `monitor_resources` runs."""

    def __init__(self, update_interval: int = 5) -> None:
        self.update_interval = update_interval
        self._usage: dict[str, Any] | None = None

    @property
    def current_usage(self) -> dict[str, Any]:
        """The newest sample; the first look takes one."""
        return self._newest()

    @current_usage.setter
    def current_usage(self, usage: dict[str, Any]) -> None:
        self._usage = usage

    async def monitor_resources(self) -> None:
        """Until cancelled."""
        while True:
            await self._sample_once()
            await asyncio.sleep(self.update_interval)

    async def _sample_once(self) -> None:
        self._usage = await asyncio.to_thread(_sample)

    def _newest(self) -> dict[str, Any]:
        if self._usage is None:
            self._usage = _sample()
        return self._usage


def _sample() -> dict[str, Any]:
    """The CPU's share since the sample before; of the first one nothing is known, and it is 0."""
    import psutil

    memory, disk = psutil.virtual_memory(), psutil.disk_usage("/")
    return {
        "cpu_percent": psutil.cpu_percent(interval=None),
        "memory_percent": memory.percent,
        "memory_used_gb": round(memory.used / _GB, 2),
        "memory_total_gb": round(memory.total / _GB, 2),
        "memory_free_gb": round(memory.available / _GB, 2),
        "disk_usage_percent": disk.percent,
        "disk_free_gb": round(disk.free / _GB, 2),
        "timestamp": dt.datetime.now(dt.UTC).isoformat(),
    }
