"""The agents connected to this manager; this machine's own is one of them.

Agents and spawners dial in, each on a connection of its own, and speak `wire` frames. What
this backend tells the manager is what they say: it keeps no state of jobs.
"""

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec

from solveyard import __version__
from solveyard.backends import offers, translation
from solveyard.backends.base import Abilities, Order, RawEnd, Report
from solveyard.backends.local_agent import LocalAgent
from solveyard.backends.offers import AS_TOLD, Offer
from solveyard.model.jobs import AttemptId
from solveyard.model.messages import (
    AgentJoined,
    AgentLeft,
    AnyObservation,
    Ask,
    Forget,
    Kill,
    Modify,
    Recall,
    SpawnerJoined,
    SpawnerLeft,
    Started,
)
from solveyard.wire import frames, peers

log = logging.getLogger(__name__)

#: Bytes that may wait for a connection that doesn't read; more, and it is cut.
BACKLOG = 64 * 1024 * 1024
#: Bytes of one command with all that goes with it, at most.
LARGEST = frames.LIMIT // 2
#: Between two pings, and how long a silent connection is believed; s.
PING = 10.0
SILENCE = 30.0
FAILING = 2  #: times that something ended before it was connected: it will again
_HELLO_TIMEOUT = 10.0
_REAP = 5.0  #: between two looks whether an agent that we started has ended; s
_PAUSE = 2.0  #: in which an agent that was started should connect; s
_AGAIN = 5.0  #: after which an agent that could not be started is tried again; s
_RETURN = 0.2  #: in which an agent whose connection broke comes back by itself; s


class Link:
    """One connection: an agent's, or one of its spawners'."""

    def __init__(self, hello: translation.Hello, writer: asyncio.StreamWriter) -> None:
        self.hello = hello
        self.machine = hello.machine
        self.pid = hello.pid
        self.heard = asyncio.get_running_loop().time()
        self.dismissed = False  #: it was told to leave once nothing runs there
        self._writer = writer
        self._waiting: list[bytes] = []

    def send(self, message: frames.Message) -> None:
        self.send_text(msgspec.json.encode(message))

    def send_text(self, message: bytes) -> None:
        """A message as JSON. What is said in one turn of the loop leaves together at its end."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(message)

    def _flush(self) -> None:
        """Never waits: a connection that doesn't read is cut, and asked again when it's back."""
        waiting, self._waiting = self._waiting, []
        if self._writer.transport.get_write_buffer_size() > BACKLOG:
            log.warning("connection cut: it doesn't read", extra={"pid": self.pid})
            self._writer.transport.abort()
            return
        self._writer.write(frames.pack(waiting))

    def cut(self) -> None:
        self._writer.transport.abort()


class Agents:
    """Runs commands on the machines whose agents are connected."""

    name = "agents"
    abilities = Abilities(places_cores=True, successors=True)

    def __init__(
        self,
        address: str,
        store_uuid: str,
        local: LocalAgent | None,
        *,
        offer: Offer = AS_TOLD,
        token: str = "",
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`offer`: what jobs may use of this machine."""
        self.samples: dict[str, frames.Message] = {}  #: machine to its newest telemetry
        self.blocked: dict[AttemptId, str] = {}  #: attempts that can't start now, and why
        self.unable: OSError | None = None  #: why this machine's agent can't be started now
        self._address = address
        self._uuid = store_uuid
        self._local = local
        self._offer = offer
        self._token = token
        self.changed = changed
        self._agents: dict[str, Link] = {}
        self._spawners: dict[tuple[str, int], Link] = {}
        self._expected: dict[str, int] = {}  #: spawners of each machine
        #: How often each ended since it was connected, and why it did last.
        self._ends: dict[tuple[str, int], tuple[int, str]] = {}
        self._reports: list[Report] = []
        self._news = asyncio.Event()
        self._moved = asyncio.Event()  #: a connection came or went
        self._closing = False

    # Its life

    async def run(self) -> None:
        """Listen, keep this machine's agent alive, notice silent ones; until cancelled."""
        server = await self._listen()
        async with server, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_time())
            if self._local is not None:
                tasks.create_task(self._keep_local_agent(self._local))
            await server.serve_forever()

    async def ready(self, seconds: float) -> bool:
        """Wait until this machine's agent and all its spawners are connected.

        False: they aren't by then, or something keeps them from it now.
        """
        await self._until(lambda: self.complete or self.kept, seconds)
        return self.complete

    @property
    def kept(self) -> bool:
        """Does something keep this machine's agent, or a spawner of it, from being here?"""
        return self.unable is not None or bool(self.failing)

    @property
    def failing(self) -> str:
        """Which of this machine's spawners ends again and again, and why; empty: none does."""
        for (machine, index), (ends, why) in sorted(self._ends.items()):
            own = self._local is not None and machine == self._local.machine
            if own and ends >= FAILING and (machine, index) not in self._spawners:
                told = f"spawner {index} of the agent ends as soon as it is started: {why}"
                return f"{told} (mend that: it is tried again all the time)"
        return ""

    async def leave(self, seconds: float = 3.0) -> None:
        """Tell all agents that this manager goes: they leave once nothing runs there."""
        self._closing = True
        for link in reversed(self.links):
            link.send({"t": "leave"})
        await self._until(lambda: not self._agents and not self._spawners, seconds)
        if self._local is not None:
            self._local.disown()

    @property
    def links(self) -> list[Link]:
        """All connections: agents' and spawners'."""
        return [*self._agents.values(), *self._spawners.values()]

    @property
    def agent_pid(self) -> int | None:
        link = self._agents.get(self._local.machine) if self._local is not None else None
        return link.pid if link is not None else None

    def spawners(self, machine: str) -> int:
        """How many of its spawners are connected."""
        return sum(1 for m, _ in self._spawners if m == machine)

    @property
    def spawner_pids(self) -> list[int]:
        mine = self._local.machine if self._local is not None else None
        return [link.pid for (m, _), link in sorted(self._spawners.items()) if m == mine]

    # What the manager asks

    async def submit(self, orders: Sequence[Order]) -> None:
        """What is for an earlier boot or ledger is not sent: whoever came since is asked for it."""
        for order in orders:
            placement = order.launch.placement
            link = self._spawners.get((placement.machine, placement.spawner))
            meant = placement.boot_id, placement.ledger
            if link is None or (link.hello.boot_id, link.hello.ledger) != meant:
                continue
            if order.within and not self._bounds(link, order.launch.attempt):
                continue
            try:
                text = msgspec.json.encode(translation.launch(order))
            except UnicodeEncodeError:  # which would show the text, and that may be a secret
                why = "its command, environment or files hold text that is not Unicode"
                self._report(translation.unsendable(order, why))
                continue
            if len(text) > LARGEST:
                self._report(translation.too_large(order, len(text), LARGEST))
            else:
                link.send_text(text)

    async def recall(self, recalls: Sequence[Recall]) -> None:
        for recall in recalls:
            at = recall.placement
            message: frames.Message = {"t": "recall", "attempt": recall.attempt}
            self._send((at.machine, at.spawner), message)

    async def kill(self, kills: Sequence[Kill]) -> None:
        for kill in kills:
            at = kill.placement
            message: frames.Message = {
                "t": "kill",
                "attempt": kill.attempt,
                "grace": kill.grace,
                "because": kill.because,
            }
            self._send((at.machine, at.spawner), message)

    async def modify(self, modifies: Sequence[Modify]) -> None:
        """Nothing waits here that could be held: the engine holds it."""

    async def forget(self, forgets: Sequence[Forget]) -> None:
        batches: dict[tuple[str, int], list[AttemptId]] = {}
        for forget in forgets:
            at = forget.placement
            batches.setdefault((at.machine, at.spawner), []).append(forget.attempt)
        for key, attempts in batches.items():
            self._send(key, {"t": "forget", "attempts": attempts})

    def forget_stranger(self, attempt: AttemptId) -> None:
        """An attempt that no job of this store has: whichever spawner keeps its end, let it go."""
        for link in self._spawners.values():
            link.send({"t": "forget", "attempts": [attempt]})

    async def ask(self, ask: Ask) -> None:
        self._send((ask.machine, ask.spawner), {"t": "ask", "attempts": list(ask.attempts)})

    async def observations(self) -> AsyncIterator[Sequence[Report]]:
        while True:
            await self._news.wait()
            self._news.clear()
            reports, self._reports = self._reports, []
            yield reports

    def sample(self, machine: str) -> dict[str, object]:
        """The machine's newest telemetry; empty: none yet."""
        return {k: v for k, v in self.samples.get(machine, {}).items() if k != "t"}

    def machines(self) -> list[AnyObservation]:
        """Who is connected now, as the observations that said so."""
        joined: list[AnyObservation] = [self._agent_joined(link) for link in self._agents.values()]
        joined += [_spawner_joined(link) for link in self._spawners.values()]
        return joined

    # Inside

    async def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait for connections to come or go; False: time is over."""
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def _send(self, key: tuple[str, int], message: frames.Message) -> None:
        """To a spawner that is away nothing is sent: it is asked when it's back."""
        link = self._spawners.get(key)
        if link is not None:
            link.send(message)

    def _bounds(self, link: Link, attempt: AttemptId) -> bool:
        """Does it keep a command in the folders that admitted it? One of an earlier version, which
        goes on as long as something runs, would not heed them: the next is asked again as it joins.
        """
        if "bounds" in link.hello.abilities:
            self.blocked.pop(attempt, None)
            return True
        hint = "start it anew, with this version"
        if self._local is not None and link.machine == self._local.machine:
            hint = "that is done once nothing runs there: let what runs end, or cancel it"
            for one in self.links:  # its agent first: that starts none of its spawners again
                if one.machine == link.machine and not one.dismissed:
                    one.dismissed = True
                    one.send({"t": "leave"})
        self.blocked[attempt] = (
            f"its agent to be replaced: version {link.hello.version or 'unknown'} can't keep it in"
            f" the folders that admitted it ({hint})"
        )
        return False

    def _report(self, report: Report) -> None:
        self._reports.append(report)
        self._news.set()

    @property
    def complete(self) -> bool:
        """Are this machine's agent and all its spawners connected?"""
        if self._local is None:
            return True
        machine = self._local.machine
        spawners = self.spawners(machine)
        return machine in self._agents and spawners >= self._expected.get(machine, 1)

    async def _listen(self) -> asyncio.Server:
        kind, _, rest = self._address.partition(":")
        if kind == "unix" and sys.platform != "win32":
            Path(rest).unlink(missing_ok=True)
            server = await asyncio.start_unix_server(self._serve, rest)
            Path(rest).chmod(0o600)
            return server
        host, _, port = rest.rpartition(":")
        return await asyncio.start_server(self._serve, host, int(port))

    async def _keep_local_agent(self, local: LocalAgent) -> None:
        while not self._closing:
            local.reap()
            if local.machine not in self._agents:
                await self._start(local)
                pause = _PAUSE if self.unable is None else _AGAIN
                await self._until(lambda: local.machine in self._agents or self._closing, pause)
            elif await self._until(lambda: local.machine not in self._agents, _REAP):
                await asyncio.sleep(_RETURN)

    async def _start(self, local: LocalAgent) -> None:
        """A full disk, say, keeps no manager from being asked; see `unable`."""
        trouble = local.failing
        try:
            await asyncio.to_thread(local.prepare)
            local.start()
        except OSError as error:
            trouble = error
        if trouble is not None and self.unable is None:
            log.warning("the agent can't be started", extra={"error": str(trouble)})
        self.unable = trouble
        if trouble is not None:
            self._moved.set()
            self.changed()

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(PING)
            now = asyncio.get_running_loop().time()
            for link in self.links:
                if now - link.heard > SILENCE:
                    log.warning("connection cut: silent", extra={"pid": link.pid})
                    link.cut()
                else:
                    link.send({"t": "ping", "n": int(now)})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = frames.Decoder()
        link: Link | None = None
        try:
            async with asyncio.timeout(_HELLO_TIMEOUT):
                first: list[frames.Message] = []
                while not first:
                    chunk = await reader.read(65536)
                    if not chunk:
                        return
                    first = decoder.feed(chunk)
            link = self._welcome(first[0], writer)
            if link is None:
                await writer.drain()
                return
            for message in first[1:]:
                self._take(link, message)
            while chunk := await reader.read(1 << 20):
                link.heard = asyncio.get_running_loop().time()
                for message in decoder.feed(chunk):
                    self._take(link, message)
        except (OSError, TimeoutError, frames.WireError, msgspec.ValidationError) as error:
            log.warning("connection of an agent ended", extra={"error": repr(error)})
        except asyncio.CancelledError:
            pass  # the manager ends; asyncio's streams would report a cancelled callback
        finally:
            writer.close()
            if link is not None:
                self._left(link)

    def _welcome(self, first: frames.Message, writer: asyncio.StreamWriter) -> Link | None:
        try:
            hello = translation.hello(first)
            refusal = self._refusal(hello, writer)
        except msgspec.ValidationError as error:
            refusal = f"the first message must be a hello: {error}"
        if refusal:
            writer.write(frames.encode([{"t": "refused", "why": refusal}]))
            return None
        link = Link(hello, writer)
        link.send({"t": "welcome", "protocol": 1, "store": self._uuid, "version": __version__})
        if hello.role == "agent":
            self._expected[link.machine] = hello.spawners
            self._agents[link.machine] = link
            self._report(self._agent_joined(link))
            if self._local is not None and link.machine == self._local.machine:
                self._local.connected()
                self.unable = None
        else:
            self._spawners[link.machine, hello.index] = link
            self._ends.pop((link.machine, hello.index), None)
            self._report(_spawner_joined(link))
        self._moved.set()
        self.changed()
        return link

    def _refusal(self, hello: translation.Hello, writer: asyncio.StreamWriter) -> str:
        if hello.protocol != 1:
            return f"protocol {hello.protocol} is not spoken here; 1 is"
        if not self._may_enter(hello, writer):
            return "this connection is not the manager's own user's, and has no valid token"
        return ""

    def _may_enter(self, hello: translation.Hello, writer: asyncio.StreamWriter) -> bool:
        if sys.platform != "win32":
            uid = peers.peer_uid(writer.get_extra_info("socket"))
            if uid is not None:
                return uid in {os.getuid(), 0}
        given, token = hello.token.encode("utf-8", "replace"), self._token.encode()
        return bool(token) and secrets.compare_digest(given, token)

    def _agent_joined(self, link: Link) -> AgentJoined:
        own = self._local is not None and link.machine == self._local.machine
        return offers.joined(link.hello, self._offer if own else AS_TOLD)

    def _left(self, link: Link) -> None:
        if link.hello.role == "agent" and self._agents.get(link.machine) is link:
            del self._agents[link.machine]
            self._report(AgentLeft(machine=link.machine))
        elif self._spawners.get((link.machine, link.hello.index)) is link:
            del self._spawners[link.machine, link.hello.index]
            self._report(SpawnerLeft(machine=link.machine, spawner=link.hello.index))
        self._moved.set()
        self.changed()

    def _take(self, link: Link, message: frames.Message) -> None:
        match message["t"]:
            case "sample":
                self.samples[link.machine] = message
                self._report(translation.sample(message, link.machine, link.hello.cores))
            case "spawner_ended":
                self._note_end(link.machine, translation.spawner_ended(message))
            case "pong" | "probed":
                pass
            case _:
                report = translation.report(message, link.hello.boot_id, link.hello.ledger)
                if report is None:
                    log.info("message of an unknown type", extra={"type": message["t"]})
                elif isinstance(report, translation.Blocked):
                    self.blocked[report.attempt] = report.why
                else:
                    if isinstance(report, Started | RawEnd):
                        self.blocked.pop(report.attempt, None)
                    self._report(report)

    def _note_end(self, machine: str, told: translation.SpawnerEnded) -> None:
        key = machine, told.spawner
        ends = self._ends.get(key, (0, ""))[0] + 1
        self._ends[key] = ends, told.why
        if ends == FAILING:
            log.warning("a spawner ends again and again", extra={"why": told.why})
            self._moved.set()
            self.changed()


def _spawner_joined(link: Link) -> SpawnerJoined:
    return SpawnerJoined(
        machine=link.machine,
        spawner=link.hello.index,
        boot_id=link.hello.boot_id,
        ledger=link.hello.ledger,
    )
