"""A STAND-IN for a licence server: not FlexNet software.

`python -m standin.licence_server FEATURE=NUMBER ...` prints "PORT@127.0.0.1" and serves until it is
ended. A checkout lasts as long as its connection. Requests and answers are lines of JSON.
"""

import argparse
import asyncio
import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from standin.licences import HELLO


@dataclass
class Checkout:
    user: str
    host: str
    features: dict[str, int]
    since: float
    handle: int


@dataclass
class Server:
    """The true state: what there is and who has what."""

    issued: dict[str, int]
    linger: float = 0.0  #: s that a checkout outlives a holder that crashed
    held: list[Checkout] = field(default_factory=list)
    peak: dict[str, int] = field(default_factory=dict)  #: the most in use at once so far
    denials: int = 0
    handles: int = 100
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def used(self, feature: str) -> int:
        return sum(one.features.get(feature, 0) for one in self.held)

    def short(self, features: dict[str, int]) -> tuple[str, str] | None:
        for name, number in features.items():
            if name not in self.issued:
                return name, "missing"
            if self.used(name) + number > self.issued[name]:
                return name, "used"
        return None

    def take(self, request: dict[str, Any]) -> Checkout:
        self.handles += 1
        taken = Checkout(
            request["user"], request["host"], request["features"], time.time(), self.handles
        )
        self.held.append(taken)
        for name in taken.features:
            self.peak[name] = max(self.peak.get(name, 0), self.used(name))
        return taken

    def state(self) -> dict[str, Any]:
        held = [asdict(one) for one in self.held]
        return {"issued": self.issued, "held": held, "peak": self.peak, "denials": self.denials}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: list[Checkout] = []
        try:
            writer.write(json.dumps(HELLO).encode() + b"\n")
            while line := await reader.readline():
                answer = await self._answer(json.loads(line), mine, reader)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # as when it ends without a word
        finally:
            writer.close()
            if mine:
                await asyncio.sleep(self.linger)
            await self._release(mine)

    async def _release(self, mine: list[Checkout]) -> None:
        async with self.changed:
            self.held = [one for one in self.held if one not in mine]
            self.changed.notify_all()
        mine.clear()

    async def _answer(
        self, request: dict[str, Any], mine: list[Checkout], reader: asyncio.StreamReader
    ) -> Any:
        if request["op"] == "state":
            return self.state()
        if request["op"] == "checkin":
            await self._release(mine)
            return {}
        async with self.changed:
            while short := self.short(request["features"]):
                if not request["wait"]:
                    self.denials += 1
                    return {"denied": short}
                if reader.at_eof():
                    return None
                await self.changed.wait()
            mine.append(self.take(request))
        return {"granted": mine[-1].handle}


async def main(issued: dict[str, int], port: int, linger: float) -> None:
    server = await asyncio.start_server(Server(issued, linger).serve, "127.0.0.1", port)
    print(f"{server.sockets[0].getsockname()[1]}@127.0.0.1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=HELLO)
    parser.add_argument("features", nargs="+", metavar="FEATURE=NUMBER")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--linger", type=float, default=0.0)
    asked = parser.parse_args()
    pairs = [text.split("=") for text in asked.features]
    asyncio.run(main({name: int(number) for name, number in pairs}, asked.port, asked.linger))
