"""What is sent to a spawner, over a real socket."""

import asyncio
import errno
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from solveyard.backends import agents as module
from solveyard.backends.agents import Agents
from solveyard.backends.base import Order, RawEnd
from solveyard.backends.local_agent import LocalAgent
from solveyard.model.jobs import AttemptId, JobId, JobSpec, Placement
from solveyard.model.messages import Launch
from solveyard.model.resources import Allocation, Share
from solveyard.solvers.base import Command
from solveyard.wire import frames

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")


@pytest.fixture
async def agents(tmp_path: Path) -> AsyncIterator[Agents]:
    agents = Agents(f"unix:{tmp_path / 's'}", "u", None)
    async with asyncio.TaskGroup() as tasks:
        life = tasks.create_task(agents.run())
        while not (tmp_path / "s").exists():
            await asyncio.sleep(0)
        yield agents
        life.cancel()


HELLO = {"t": "hello", "role": "spawner", "protocol": 1, "machine": "m", "pid": 1,
         "index": 0, "boot_id": "now", "ledger": "this"}  # fmt: skip


def order(
    attempt: str,
    boot: str,
    ledger: str,
    files: Mapping[str, str] | None = None,
    within: tuple[str, ...] = (),
    machine: str = "m",
) -> Order:
    placement = Placement(
        machine=machine,
        allocation=Allocation(shares=(Share(node="m", cores=1),)),
        slot=1,
        spawner=0,
        boot_id=boot,
        ledger=ledger,
    )
    launch = Launch(
        job=JobId(1), attempt=AttemptId(attempt), spec=JobSpec(solver="x"), placement=placement,
        within=within,
    )  # fmt: skip
    command = Command(argv=("true",), directory="/", files=files or {})
    return Order(launch, command, "/o", "/e")


async def test_a_launch_for_an_earlier_boot_or_ledger_is_not_sent(
    agents: Agents, tmp_path: Path
) -> None:
    """A machine may come back between a launch and the moment at which it is sent."""
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
    writer.write(frames.encode([HELLO]))
    await anext(agents.observations())
    await agents.submit(
        [order("a", "before", "this"), order("b", "now", "another"), order("c", "now", "this")]
    )
    decoder, told = frames.Decoder(), list[frames.Message]()
    while not any(message["t"] == "launch" for message in told):
        told += decoder.feed(await reader.read(65536))
    assert [message["attempt"] for message in told if message["t"] == "launch"] == ["c"]
    writer.close()
    await writer.wait_closed()


async def test_what_is_too_large_to_be_sent_ends_and_the_others_start(
    agents: Agents, tmp_path: Path
) -> None:
    """A task's parameters may stand in its command many times."""
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
    writer.write(frames.encode([HELLO]))
    reports = agents.observations()
    await anext(reports)
    most = frames.LIMIT // 2
    await agents.submit(
        [
            order("a", "now", "this", {"f": "x" * most}),
            order("b", "now", "this", {"f": "x" * (most - 1000)}),
            order("c", "now", "this"),
        ]
    )
    (end,) = await anext(reports)
    assert isinstance(end, RawEnd)
    assert (end.attempt, end.started_at, end.exit.code) == ("a", None, None)
    assert end.exit.launch_error.startswith(
        "its command, environment and files take 8.0 MiB, and 8 MiB at most can be sent (put"
    )
    decoder, told = frames.Decoder(), list[frames.Message]()
    while not told or told[-1].get("attempt") != "c":
        told += decoder.feed(await reader.read(1 << 20))
    assert [message["attempt"] for message in told if message["t"] == "launch"] == ["b", "c"]
    writer.close()
    await writer.wait_closed()


async def test_text_that_is_no_unicode_ends_its_own_job_alone_and_is_not_shown(
    agents: Agents, tmp_path: Path
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
    writer.write(frames.encode([HELLO]))
    reports = agents.observations()
    await anext(reports)
    await agents.submit([order("a", "now", "this", {"f": "caf\udce9"}), order("b", "now", "this")])
    (end,) = await anext(reports)
    assert isinstance(end, RawEnd)
    assert end.attempt == "a"
    assert "not Unicode" in end.exit.launch_error
    assert "caf" not in end.exit.launch_error
    decoder, told = frames.Decoder(), list[frames.Message]()
    while not told or told[-1].get("attempt") != "b":
        told += decoder.feed(await reader.read(1 << 20))
    writer.close()
    await writer.wait_closed()


class NoRoom(LocalAgent):
    """Its file finds room at the second try."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "")
        self.tries = 0
        self.started = asyncio.Event()

    def prepare(self) -> None:
        self.tries += 1
        if self.tries == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    def start(self) -> None:
        self.started.set()


async def test_an_agent_that_can_not_be_started_is_told_at_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.01)
    local = NoRoom(tmp_path)
    agents = Agents(f"unix:{tmp_path / 's'}", "u", local)
    async with asyncio.TaskGroup() as tasks:
        life = tasks.create_task(agents.run())
        assert not await agents.ready(3600.0)
        assert isinstance(agents.unable, OSError)
        await local.started.wait()
        assert agents.unable is None
        life.cancel()


@pytest.mark.parametrize("machine", ["here", "elsewhere"])
async def test_a_spawner_that_would_not_heed_a_commands_bounds_starts_none_that_has_any(
    tmp_path: Path, machine: str
) -> None:
    """The manager's own leaves, so that the next can."""
    agents = Agents(f"unix:{tmp_path / 's'}", "u", NoRoom(tmp_path))
    bound = order("bound", "now", "this", within=("/p",), machine=machine)
    free = order("free", "now", "this", machine=machine)
    told: dict[str, list[str]] = {"0.1": [], "0.2": []}
    async with asyncio.TaskGroup() as tasks:
        life = tasks.create_task(agents.run())
        while not (tmp_path / "s").exists():
            await asyncio.sleep(0)
        for version, abilities in (("0.1", ()), ("0.2", ("bounds",))):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            hello = HELLO | {"machine": machine, "version": version, "abilities": abilities}
            writer.write(frames.encode([hello]))
            decoder = frames.Decoder()
            while "free" not in told[version]:
                for message in decoder.feed(await reader.read(65536)):
                    told[version].append(message.get("attempt", message["t"]))
                if told[version] == ["welcome"]:
                    for orders in ([bound], [bound, free]):
                        await agents.submit(orders)
            if version == "0.1":
                why = agents.blocked[AttemptId("bound")]
                assert why.startswith("its agent to be replaced: version 0.1 can't keep it in the")
            writer.close()
            await writer.wait_closed()
        life.cancel()
    leave = ["leave"] if machine == "here" else []
    assert told == {
        "0.1": ["welcome", *leave, "free"],
        "0.2": ["welcome", "bound", "bound", "free"],
    }
    assert agents.blocked == {}


class Ending(LocalAgent):
    """Ends as soon as it is started."""

    def prepare(self) -> None:
        """It has no file."""

    def start(self) -> None:
        self.reap()
        self._process = subprocess.Popen(["false"])
        self._process.wait()


async def test_an_agent_that_ends_again_and_again_before_it_connects_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.01)
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    agents = Agents(f"unix:{tmp_path / 's'}", "u", Ending(tmp_path, ""))
    async with asyncio.TaskGroup() as tasks:
        life = tasks.create_task(agents.run())
        assert not await agents.ready(3600.0)
        assert str(agents.unable).startswith("it ends at once, with status 1 (")
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(frames.encode([HELLO | {"role": "agent", "machine": "here"}]))
        await reader.read(1)
        assert agents.unable is None
        writer.close()
        life.cancel()


async def test_a_spawner_that_ends_again_and_again_before_it_connects_is_told(
    tmp_path: Path,
) -> None:
    local = NoRoom(tmp_path)
    agents = Agents(f"unix:{tmp_path / 's'}", "u", local)
    ended = {"t": "spawner_ended", "spawner": 1, "why": "there is no room"}
    async with asyncio.TaskGroup() as tasks:
        life = tasks.create_task(agents.run())
        while not (tmp_path / "s").exists():
            await asyncio.sleep(0)
        agents.unable = None
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        hello = HELLO | {"role": "agent", "machine": "here", "spawners": 2}
        writer.write(frames.encode([hello, ended]))
        await reader.read(1)
        assert agents.failing == ""
        writer.write(frames.encode([ended]))
        assert not await agents.ready(3600.0)
        assert agents.failing.startswith("spawner 1 of the agent ends")
        assert agents.failing.endswith(
            ": there is no room (mend that: it is tried again all the time)"
        )
        _, second = await asyncio.open_unix_connection(str(tmp_path / "s"))
        second.write(frames.encode([HELLO | {"machine": "here", "index": 1}]))
        while agents.failing:
            await asyncio.sleep(0)
        assert not agents.kept
        for one in (writer, second):
            one.close()
        life.cancel()
