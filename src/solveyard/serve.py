"""A manager with its doors: the one place where they meet, for the service and for `Yard`."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from solveyard import (
    __version__,
    abandoned,
    clusters,
    footprint,
    readiness,
    registry,
    succession,
)
from solveyard.backends import openfiles, precedence
from solveyard.backends.agents import Agents
from solveyard.backends.batch import ClusterOptions
from solveyard.backends.hosts import talking
from solveyard.backends.local_agent import LocalAgent
from solveyard.backends.offers import AS_TOLD, Offer
from solveyard.core.destinations import Rule
from solveyard.core.retention import Policy
from solveyard.doors import ports, rules
from solveyard.doors.auth import Keeper
from solveyard.doors.door import Door
from solveyard.doors.ports import PortTaken
from solveyard.doors.rules import Rules
from solveyard.doors.sessions import Sessions
from solveyard.doors.sites import Sites
from solveyard.doors.sites import public_url as read_public_url
from solveyard.doors.tls import Certificate, UnfitKey
from solveyard.licensing import LicenceServer
from solveyard.manager.manager import Manager
from solveyard.model.errors import InternalFault, InvalidRequest
from solveyard.model.jobs import Limits
from solveyard.model.messages import SetLimits
from solveyard.model.shares import NO_SHARES, Shares
from solveyard.notify import Recipient
from solveyard.places import StorePlaces, runtime_folder
from solveyard.secret import Secret
from solveyard.store import failures, ownership, private
from solveyard.store.lease import Lease
from solveyard.store.sqlite import SqliteStore
from solveyard.tokens import Tokens

__all__ = [
    "Network", "PortTaken", "Running", "ServeOptions", "Stop", "UnfitSetting", "exposed", "network",
    "opened", "run",
]  # fmt: skip

log = logging.getLogger(__name__)

_READY = 15.0  #: s that the agent may take to connect
_SWITCH = 0.0005  #: s for which a thread may keep Python's lock from another
_LEAVING = 3.0  #: s that an idle agent may take to leave


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where a manager listens beside its private socket, and for what."""

    hosts: tuple[str, ...] = ports.LOOPBACK
    port: int | None = None  #: None: 8080, or a free one where that is busy
    rules: Rules = field(default_factory=Rules)
    allowed_hosts: tuple[str, ...] = ()  #: names by which browsers may call it
    certificate: Path | None = None  #: None: HTTP is not encrypted
    key: Path | None = None  #: the certificate's
    public_url: str = ""  #: by which people come through a proxy


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """How a manager runs; None: as it was, or as the machine is."""

    offer: Offer = AS_TOLD  #: what jobs may use of this machine
    limits: Limits = field(default_factory=Limits)  #: kept in the store
    locked: Mapping[str, str] = field(default_factory=dict)  #: limits, and what locks each
    on_stop: str = "leave"  #: what a signal, or a plain `stop`, does with running jobs
    embedded: bool = False  #: it ends with a program that does something else
    background: bool = False  #: it makes room for one that `succeeds`
    succeeds: bool = False  #: it takes the store over from one in the background
    idle_exit: float | None = None  #: s without jobs and requests after which it stops
    platform: str = "auto"  #: how the agent starts processes: "auto" or "portable"
    network: Network | None = None  #: None: only the store's private socket
    clusters: Mapping[str, ClusterOptions] = field(default_factory=dict)  #: by name
    discover_clusters: bool = True  #: use batch systems that answer here, too
    rules: tuple[Rule, ...] = ()  #: which jobs go there, or stay here
    secrets: Mapping[str, Secret] = field(default_factory=dict)  #: that jobs may name
    retention: Policy = field(default_factory=Policy)  #: which ended jobs are removed
    recipients: tuple[Recipient, ...] = ()  #: who is told how jobs end
    licence_server: LicenceServer | None = None  #: None: nobody is asked what is free
    shares: Shares = NO_SHARES  #: what decides between owners


@dataclass(frozen=True, kw_only=True)
class Running:
    """A manager that is open for requests."""

    manager: Manager
    url: str
    stop: Callable[[str], None]  #: by "leave", "drain", "now", or "" for what `on_stop` says
    stopped: asyncio.Event  #: set once a stop was asked for


class UnfitSetting(InvalidRequest):
    """The value of `setting` will not do."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(why)
        self.setting = setting


class Stop:
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


def network(
    host: str = "",
    port: int | None = None,
    *,
    allow: Sequence[str] = (),
    roots: Sequence[Path] = (),
    programs: Sequence[Path] = (),
    allowed_hosts: Sequence[str] = (),
    certificate: Path | None = None,
    key: Path | None = None,
    public_url: str = "",
) -> Network:
    """As the settings say. Raises UnfitSetting for what no manager could listen with."""
    if (certificate is None) is not (key is None):
        given, other = "tls_certificate", "tls_key"
        if certificate is None:
            given, other = other, given
        why = f"expected `{other}` beside it: TLS takes a certificate and its key"
        raise UnfitSetting(given, f"{why} (set it, or give --{other.replace('_', '-')} FILE)")
    with _judging("allow"):
        for name in allow:
            registry.solver(name)
    with _judging("ansysedt"):
        for program in programs:
            rules.admissible(program)
    with _judging("public_url"):
        public_url = read_public_url(public_url) if public_url else ""
    if host:
        with _judging("host"):
            ports.judge(host)
    found = Network(
        hosts=(host,) if host else ports.LOOPBACK,
        port=port,
        rules=Rules(
            allow=frozenset(allow),
            programs=tuple(program.absolute() for program in programs),
            roots=tuple(root.absolute() for root in roots),
        ),
        allowed_hosts=tuple(allowed_hosts),
        certificate=None if certificate is None else certificate.absolute(),
        key=None if key is None else key.absolute(),
        public_url=public_url,
    )
    with _judging("tls_certificate"), _judging("tls_key", UnfitKey):
        _certificate(found)
    return found


@contextlib.contextmanager
def _judging(setting: str, fault: type[InvalidRequest] = InvalidRequest) -> Iterator[None]:
    try:
        yield
    except UnfitSetting:  # it is known which one
        raise
    except fault as error:
        raise UnfitSetting(setting, str(error)) from error


def exposed(options: ServeOptions) -> bool:
    """Can other machines reach it?"""
    return options.network is not None and ports.exposed(options.network.hosts)


def run(folder: Path, options: ServeOptions, started: Callable[[Running], None]) -> None:
    """Serve `folder` until a signal or a stop; `started` is called once it is open.

    Raises StoreError: LeaseTaken where another manager has the store; PortTaken.
    """
    asyncio.run(_run(folder, options, started))


async def _run(folder: Path, options: ServeOptions, started: Callable[[Running], None]) -> None:
    systemd = readiness.taken()  # before the agent is started: jobs don't inherit it
    sys.setswitchinterval(_SWITCH)  # a commit's thread and the loop take turns sooner
    loop, stop = asyncio.get_running_loop(), Stop(options.on_stop)
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(stop, ""))
    else:  # from the first answer on
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, "")
    with precedence.held(), openfiles.raised():
        async with opened(folder, options, stop) as running:
            footprint.settle()
            started(running)
            systemd.ready(f"listens on {running.url}")
            await running.stopped.wait()
            systemd.stopping()


@contextlib.asynccontextmanager
async def opened(
    folder: Path, options: ServeOptions, stop: Stop | None = None
) -> AsyncIterator[Running]:
    """A manager on `folder` with its doors; on leaving, it stops as it was asked to.

    `stop` may be asked before it is open, and is heeded then.
    """
    places = StorePlaces(folder)
    tls = _certificate(options.network)
    stop = stop or Stop(options.on_stop)
    lease = await _leased(folder, options, stop)
    listeners: list[socket.socket] = []
    try:
        if options.network is not None:
            listeners = ports.bind(options.network.hosts, options.network.port)
        runtime = runtime_folder(folder)
        token = secrets.token_urlsafe(32)
        address = _address(runtime, "agents.sock")
        with _in_our_words(folder):
            local = _local_agent(places, address, token, options)
        store = SqliteStore.open(folder)
        agents = Agents(address, store.uuid, local, offer=options.offer, token=token)
        manager = Manager(
            store,
            folder,
            agents,
            clusters=clusters.backends(
                options.clusters,
                _withheld(options),
                local.machine,
                runtime,
                store.uuid,
                discover=options.discover_clusters,
            ),
            rules=options.rules,
            on_stop=options.on_stop,
            secrets=options.secrets,
            retention=options.retention,
            recipients=[recipient.of(folder) for recipient in options.recipients],
            public_url=options.network.public_url if options.network else "",
            licence_server=options.licence_server,
            shares=options.shares,
        )
        try:
            door = _door(manager, options, token, stop, store.uuid)
            async with _alive(manager) as (tasks, life):
                await _settle(manager, options)
                await door.open(
                    _address(runtime, "manager.sock"), listeners, tls.context if tls else None
                )
                live = tasks.create_task(door.run())
                await _let_in(manager, door, stop)

                def announce() -> None:
                    _announce(places, manager, door, token, options)

                with _in_our_words(folder):
                    announce()
                agents.changed = lambda: _again(announce, agents)
                chores = [
                    tasks.create_task(_stop_when_idle(manager, door, options.idle_exit, stop)),
                    tasks.create_task(abandoned.watch(manager, _me())),
                ]
                try:
                    yield Running(manager=manager, url=door.url, stop=stop, stopped=stop.asked)
                finally:
                    agents.changed = _nothing
                    if not life.done() and not life.cancelling():  # else nobody would answer
                        await manager.stop(stop.how or options.on_stop)
                        await agents.leave(_LEAVING if not manager.holding else 0.0)
                    places.manager_json.unlink(missing_ok=True)
                    await door.close()
                    for task in (*chores, live, life):
                        task.cancel()
        finally:
            local.disown()
            manager.close()
    finally:
        for listener in listeners:
            listener.close()
        lease.release()


async def _leased(folder: Path, options: ServeOptions, stop: Stop) -> Lease:
    """Raises StoreError: LeaseTaken, and StoreUnusable where it is another account's."""
    ownership.judge(folder)
    if options.succeeds:
        return await succession.lease(folder, stop.asked)
    return Lease.take(folder, succession.BACKGROUND if options.background else {})


@contextlib.asynccontextmanager
async def _alive(
    manager: Manager,
) -> AsyncIterator[tuple[asyncio.TaskGroup, asyncio.Task[None]]]:
    """The manager's life, and the group that it is in: where one of it fails, all end.

    Raises InternalFault where one does, and what is raised inside.
    """
    inside: Exception | None = None
    try:
        async with talking.helped(), asyncio.TaskGroup() as tasks:
            life = tasks.create_task(manager.run())
            try:
                yield tasks, life
            except Exception as error:
                inside = error
                raise
    except ExceptionGroup as group:
        if inside is not None:
            raise inside from inside.__cause__
        log.critical("the manager failed", exc_info=group)
        raise InternalFault(
            f"the manager failed: {_innermost(group)!r} (what runs goes on, and nothing is"
            " lost; start it again, and please report this)"
        ) from group


@contextlib.contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    """Raises StoreFull or StoreUnusable for what the system says of the store in `folder`."""
    try:
        yield
    except OSError as error:
        raise failures.from_os(error, folder) from error


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _local_agent(
    places: StorePlaces, address: str, token: str, options: ServeOptions
) -> LocalAgent:
    """Not started yet; it will find the manager at `address`."""
    ownership.make_private(places.agent)  # programs in it are run
    private.write(places.agent_address, address.encode())
    private.write(places.agent_token, token.encode())
    return LocalAgent(
        places.agent,
        f"file:{places.agent_address}",
        token_file=places.agent_token,
        platform=options.platform,
        withheld=_withheld(options),
    )


async def _settle(manager: Manager, options: ServeOptions) -> None:
    """What holds before anybody is answered."""
    await abandoned.settle(manager, _me())
    said = [name for name in Limits.__struct_fields__ if getattr(options.limits, name) is not None]
    if said:
        await manager.request(SetLimits(limits=options.limits, only=tuple(said), by=_me()))


async def _let_in(manager: Manager, door: Door, stop: Stop) -> None:
    """Who wants to change something has to wait for the agent, which says what there is."""
    async with asyncio.TaskGroup() as tasks:
        coming = tasks.create_task(manager.agents.ready(_READY))
        asked = tasks.create_task(stop.asked.wait())
        await asyncio.wait((coming, asked), return_when=asyncio.FIRST_COMPLETED)
        if coming.done() and not coming.result() and not manager.agents.kept:
            log.error("the agent didn't connect", extra={"store": str(manager.store_folder)})
        coming.cancel()
        asked.cancel()
    door.let_in()


def _withheld(options: ServeOptions) -> set[str]:
    """Variables that hold secrets: nothing that is started inherits them."""
    return {one.env for one in options.secrets.values() if one.env}


def _certificate(network: Network | None) -> Certificate | None:
    """Raises InvalidRequest where it can't be used."""
    if network is None or network.certificate is None or network.key is None:
        return None
    return Certificate(network.certificate, network.key)


def _door(
    manager: Manager, options: ServeOptions, token: str, stop: Callable[[str], None], uuid: str
) -> Door:
    network = options.network or Network()
    sites = Sites(network.allowed_hosts, network.public_url)
    tokens = Tokens(manager.store_folder)
    keeper = Keeper(_me(), token, tokens, sites, Sessions(uuid[:8]))
    return Door(
        manager,
        keeper,
        replace(network.rules, closed=(manager.store_folder,)),
        stop,
        public=options.network is not None,
        public_url=network.public_url,
        locked=options.locked,
    )


def _nothing() -> None:
    """Nobody wants to know any more."""


def unix_sockets() -> bool:
    return sys.platform != "win32"


def _address(runtime: Path, name: str) -> str:
    if unix_sockets():
        return f"unix:{runtime / name}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp:127.0.0.1:{probe.getsockname()[1]}"


def _announce(
    places: StorePlaces, manager: Manager, door: Door, token: str, options: ServeOptions
) -> None:
    """Say in `manager.json` where the manager is; replaced whole, so never half there."""
    network = options.network or Network()
    told = {
        "url": door.url,
        "public_url": network.public_url,
        "certificate": str(network.certificate or ""),
        "socket": door.socket,
        "token": token,
        "pid": os.getpid(),
        "embedded": options.embedded,
        "agent_pid": manager.agents.agent_pid,
        "spawner_pids": manager.agents.spawner_pids,
        "host": socket.gethostname(),
        "store": str(places.folder),
        "version": __version__,
    }
    private.write(places.manager_json, msgspec.json.format(msgspec.json.encode(told)))


def _again(announce: Callable[[], None], agents: Agents) -> None:
    """Once all are there, or can't be. On a full disk what was said stands: its address holds."""
    if not (agents.complete or agents.kept):
        return
    try:
        announce()
    except OSError as error:
        log.warning("manager.json is out of date", extra={"error": str(error)})


async def _stop_when_idle(
    manager: Manager, door: Door, seconds: float | None, stop: Callable[[str], None]
) -> None:
    """A manager that was started for a submission goes when there's no more to do."""
    if seconds is None:
        return
    seen, quiet = -1, 0.0
    step = min(seconds, 5.0)
    while True:
        await asyncio.sleep(step)
        busy = manager.busy or door.lends or door.requests != seen
        quiet = 0.0 if busy else quiet + step
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
