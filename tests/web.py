"""REST as a script asks it that goes on while managers die."""

import asyncio
from typing import Any

import aiohttp

PATIENCE = 60.0  #: s


class Web:
    """REST over TCP, asked again where a manager that died left no answer."""

    def __init__(self, yard: Any, session: aiohttp.ClientSession) -> None:
        self.yard = yard
        self.session = session

    @property
    def url(self) -> str:
        """Where the manager is, or was last."""
        try:
            return str(self.yard.told["url"])
        except (OSError, ValueError):
            return "http://127.0.0.1:9"

    async def ask(self, method: str, target: str, body: Any = None, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    async with self.session.request(
                        method,
                        self.url + target,
                        json={} if body is None and method == "POST" else body,
                        headers=headers,
                    ) as answer:
                        if answer.status != 503:  # it was just stopping, or starting
                            return answer.status, await answer.json()
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(0.05)  # until there is a manager again

    async def events(self) -> list[dict[str, Any]]:
        """All there are, read whole."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["number"] if found else 0
            _, more = await self.ask("GET", f"/events?after={after}&limit=10000")
            if not more:
                return found
            found += more

    async def unfinished(self) -> int:
        """How many jobs have not ended."""
        _, counts = await self.ask("GET", "/queue")
        return sum(counts[state] for state in ("held", "queued", "submitted", "running"))

    async def ended(self) -> None:
        """Nothing waits or runs any more."""
        async with asyncio.timeout(PATIENCE):
            while await self.unfinished():
                await asyncio.sleep(0.05)
