"""A manager with its doors: the one place where they meet, for the service and for `Yard`."""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from aiohttp import web

from solveyard import __version__
from solveyard.backends.agents import Agents
from solveyard.backends.local_agent import LocalAgent
from solveyard.doors import peer, rest
from solveyard.manager import Manager
from solveyard.model.jobs import Limits
from solveyard.model.messages import SetLimits
from solveyard.places import StorePlaces, runtime_folder
from solveyard.store.lease import Lease
from solveyard.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

_READY = 15.0  #: s that the agent may take to connect
_LEAVING = 3.0  #: s that an idle agent may take to leave


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """How a manager runs; None: as it was, or as the machine is."""

    cores: int | None = None  #: that jobs may use on this machine
    max_concurrent: int | None = None  #: running jobs; kept in the store
    on_stop: str = "leave"  #: what a signal, or a plain `stop`, does with running jobs
    idle_exit: float | None = None  #: s without jobs and requests after which it stops
    platform: str = "auto"  #: how the agent starts processes: "auto" or "portable"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A manager that is open for requests."""

    manager: Manager
    url: str
    stop: Callable[[str], None]  #: by "leave", "drain", "now", or "" for what `on_stop` says
    stopped: asyncio.Event  #: set once a stop was asked for


class _Stop:
    """How it was asked to stop; the first word stands, but "now" overrules."""

    def __init__(self, on_stop: str) -> None:
        self.asked = asyncio.Event()
        self.how = ""
        self._on_stop = on_stop

    def __call__(self, how: str) -> None:
        how = how or self._on_stop
        if not self.how or how == "now":
            self.how = how
        self.asked.set()


def run(folder: Path, options: ServeOptions, started: Callable[[Running], None]) -> None:
    """Serve `folder` until a signal or a stop; `started` is called once it is open.

    Raises StoreError: LeaseTaken where another manager has the store.
    """
    asyncio.run(_run(folder, options, started))


async def _run(folder: Path, options: ServeOptions, started: Callable[[Running], None]) -> None:
    async with opened(folder, options) as running:
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(running.stop, ""))
        else:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, running.stop, "")
        gc.freeze()  # what is there now stays: the collector needn't look at it again
        gc.set_threshold(50_000, 20, 20)
        started(running)
        await running.stopped.wait()


@contextlib.asynccontextmanager
async def opened(folder: Path, options: ServeOptions) -> AsyncIterator[Running]:
    """A manager on `folder` with its private door; on leaving, it stops as it was asked to."""
    places = StorePlaces(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lease = Lease.take(folder, {})
    try:
        runtime = runtime_folder(folder)
        token = secrets.token_urlsafe(32)
        address = _address(runtime, "agents.sock")
        places.agent.mkdir(mode=0o700, exist_ok=True)
        _write_private(places.agent_address, address.encode())
        _write_private(places.agent_token, token.encode())
        local = LocalAgent(
            places.agent,
            f"file:{places.agent_address}",
            token_file=places.agent_token,
            platform=options.platform,
        )
        store = SqliteStore.open(folder)
        agents = Agents(address, store.uuid, local, cores=options.cores, token=token)
        manager = Manager(store, folder, agents, on_stop=options.on_stop)
        stop = _Stop(options.on_stop)
        door = _Door(manager, runtime, token, stop)
        try:
            async with asyncio.TaskGroup() as tasks:
                life = tasks.create_task(manager.run())
                await _prepare(manager, options)
                await door.open()

                def announce() -> None:
                    if agents.complete:
                        _announce(places, manager, door.url, token)

                agents.changed = announce
                announce()
                idle = tasks.create_task(_stop_when_idle(manager, door, options.idle_exit, stop))
                try:
                    yield Running(manager=manager, url=door.url, stop=stop, stopped=stop.asked)
                finally:
                    agents.changed = _nothing
                    await manager.stop(stop.how or options.on_stop)
                    await agents.leave(_LEAVING if not manager.holding else 0.0)
                    places.manager_json.unlink(missing_ok=True)
                    await door.close()
                    idle.cancel()
                    life.cancel()
        finally:
            manager.close()
    finally:
        lease.release()


async def _prepare(manager: Manager, options: ServeOptions) -> None:
    """Nobody is let in before the agent is there and the limits are set."""
    if not await manager.agents.ready(_READY):
        log.error("the agent didn't connect", extra={"store": str(manager.store_folder)})
    if options.max_concurrent is not None:
        limits = Limits(max_concurrent=options.max_concurrent)
        await manager.request(SetLimits(limits=limits, by=_me()))


def _nothing() -> None:
    """Nobody wants to know any more."""


class _Door:
    """REST on the store's private socket: whoever may open it owns the store."""

    def __init__(
        self, manager: Manager, runtime: Path, token: str, stop: Callable[[str], None]
    ) -> None:
        self.requests = 0
        self._runtime = runtime
        app = rest.application(manager, stop=stop)
        keeper = peer.own_user_only if unix_sockets() else peer.with_token(token, _me())
        app.middlewares.extend([self._count, keeper])
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        self.url = ""

    async def open(self) -> None:
        await self._runner.setup()
        address = _address(self._runtime, "manager.sock")
        kind, _, rest_of_it = address.partition(":")
        if kind == "unix":
            Path(rest_of_it).unlink(missing_ok=True)
            await web.UnixSite(self._runner, rest_of_it).start()
            Path(rest_of_it).chmod(0o600)
            self.url = address
        else:
            host, _, port = rest_of_it.rpartition(":")
            await web.TCPSite(self._runner, host, int(port)).start()
            self.url = f"http://{host}:{port}"

    async def close(self) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _count(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.requests += 1
        return await handler(request)


def unix_sockets() -> bool:
    return sys.platform != "win32"


def _address(runtime: Path, name: str) -> str:
    if unix_sockets():
        return f"unix:{runtime / name}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp:127.0.0.1:{probe.getsockname()[1]}"


def _announce(places: StorePlaces, manager: Manager, url: str, token: str) -> None:
    """Say in `manager.json` where the manager is; replaced whole, so never half there."""
    told = {
        "url": url,
        "token": token,
        "pid": os.getpid(),
        "agent_pid": manager.agents.agent_pid,
        "spawner_pids": manager.agents.spawner_pids,
        "host": socket.gethostname(),
        "store": str(places.folder),
        "version": __version__,
    }
    _write_private(places.manager_json, msgspec.json.format(msgspec.json.encode(told)))


def _write_private(place: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner alone."""
    temporary = place.with_name(f".{place.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, not a path
        file.write(content)
    temporary.replace(place)


async def _stop_when_idle(
    manager: Manager, door: _Door, seconds: float | None, stop: Callable[[str], None]
) -> None:
    """A manager that was started for a submission goes when there's no more to do."""
    if seconds is None:
        return
    seen, quiet = -1, 0.0
    step = min(seconds, 5.0)
    while True:
        await asyncio.sleep(step)
        quiet = 0.0 if manager.busy or door.requests != seen else quiet + step
        seen = door.requests
        if quiet >= seconds:
            stop("leave")
            return


def _me() -> str:
    """The account that the manager runs under; empty where it has no name."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
