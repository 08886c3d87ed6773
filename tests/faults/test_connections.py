"""Between manager and agents: connections are cut, hang, or carry what nobody of ours sent."""

import asyncio
import json
import os
import random
import signal
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solveyard.backends.offers import Offer
from solveyard.model.jobs import JobSpec
from solveyard.places import runtime_folder
from solveyard.serve import ServeOptions, opened
from solveyard.wire import frames


def job(folder: Path, script: str) -> JobSpec:
    options = msgspec.json.encode({"argv": ["sh", "-c", script]})
    return JobSpec(solver="command", options=msgspec.Raw(options), directory=str(folder))


async def test_cut_connections_lose_nothing_and_repeat_nothing(tmp_path):
    marks = tmp_path / "marks"
    chance = random.Random(5)
    async with opened(
        tmp_path / "store", ServeOptions(offer=Offer(cores=2), on_stop="now")
    ) as running:
        manager = running.manager
        script = f'echo "$SOLVEYARD_ATTEMPT" >> {marks}; exit $((SOLVEYARD_JOB % 3))'
        submitted = await manager.submit([job(tmp_path, script)] * 150, "me")
        waiting = asyncio.ensure_future(  # noqa: TID251  it is awaited below
            manager.wait([j.id for j in submitted], 60)
        )
        while not waiting.done():
            links = [*manager.agents.links]
            if links:
                chance.choice(links).cut()
            await asyncio.wait([waiting], timeout=chance.uniform(0.01, 0.08))
        assert await waiting
        ended = [manager.job(j.id) for j in submitted]
        assert [j.outcome.exit_code for j in ended] == [j.id % 3 for j in ended]
        ran = [a.id for j in ended for a in j.attempts if not a.withdrawn]
    assert sorted(marks.read_text().split()) == sorted(ran)
    assert len(ran) == 150


@pytest.fixture
def open_service(service):
    return service("--cores", "1").start()


def say(store: Path, data: bytes) -> list[frames.Message]:
    """Connect as an agent would, send `data`, and read what comes until the other side closes."""

    async def talk() -> list[frames.Message]:
        reader, writer = await asyncio.open_unix_connection(runtime_folder(store) / "agents.sock")
        decoder, answers = frames.Decoder(), []
        try:
            writer.write(data)
            writer.write_eof()
            async with asyncio.timeout(30):
                while chunk := await reader.read(65536):
                    answers += decoder.feed(chunk)
        except ConnectionError:
            pass
        finally:
            writer.close()
        return answers

    return asyncio.run(talk())


HELLO = {
    "t": "hello", "role": "spawner", "protocol": 1, "version": "9", "machine": "elsewhere",
    "pid": 1, "start": "1", "boot_id": "b", "index": 0, "ledger": "l",
}  # fmt: skip
HEADER = struct.Struct(">2sBBI")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["started", "ended", "missing", "recalled", "sample", "blocked", "waiting"])
MESSAGE = st.fixed_dictionaries(
    {"t": TYPES}, optional=dict.fromkeys(("attempt", "pid", "at", "code", "outputs", "wall"), JSON)
)
BYTES = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda b: frames.encode([HELLO])[: len(b) % 200], st.binary(max_size=200)),
    st.builds(lambda v: HEADER.pack(b"SY", v, 0, 10) + b"0123456789", st.integers(2, 255)),
    st.just(HEADER.pack(b"SY", 1, 0, 2**31)),
    st.builds(lambda j: HEADER.pack(b"SY", 1, 0, len(j)) + j, st.binary(max_size=60)),
    st.builds(
        lambda h: frames.encode([{**HELLO, **h}]),
        st.dictionaries(st.sampled_from(sorted(HELLO)), JSON, max_size=3),
    ),
    st.builds(lambda ms: frames.encode([HELLO, *ms]), st.lists(MESSAGE, max_size=4)),
)


def test_whatever_comes_on_the_agents_socket_harms_nobody(open_service, tmp_path):
    store = open_service.store
    before = open_service.pids()

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(BYTES)
    def anything(data):
        say(store, data)

    anything()
    record = open_service.client.submit(job(tmp_path, "exit 7"))
    assert open_service.client.wait([record.number], 30)
    assert open_service.client.job(record.number).exit_code == 7
    assert open_service.pids() == before


def test_a_hello_of_another_protocol_is_refused_in_words(open_service):
    [answer] = say(open_service.store, frames.encode([{**HELLO, "protocol": 2}]))
    assert answer["t"] == "refused"
    assert "protocol 2" in answer["why"]


def test_a_report_about_somebody_elses_attempt_changes_nothing(open_service, tmp_path, until):
    record = open_service.client.submit(job(tmp_path, "sleep 600"))
    until(lambda: open_service.client.job(record.number).state == "running", "the job runs")
    attempt = open_service.client.job(record.number).attempts[-1].id
    uuid, _, rest = attempt.partition(".")
    for stranger in (f"{'0' * 32}.{rest}", f"{uuid}.99.0.1", f"{uuid}.1.0.9", "x", f"{uuid}.1.0.²"):
        ended = {
            "t": "ended", "attempt": stranger, "pid": 1, "started_at": 1.0, "code": 0,
            "signal": None, "ended_by": "", "launch_error": "", "lost": "", "outputs": [],
            "strays": 0, "wall": 1.0, "cpu": 0.0, "peak": 1,
        }  # fmt: skip
        say(open_service.store, frames.encode([HELLO, ended]))
    assert open_service.client.job(record.number).state == "running"


def test_a_hanging_spawner_holds_up_no_door(service, tmp_path, until):
    yard = service("--cores", "2").start()
    spawner = int(json.loads((yard.store / "manager.json").read_text())["spawner_pids"][0])
    os.kill(spawner, signal.SIGSTOP)
    try:
        records = yard.client.submit_many([job(tmp_path, "exit 0")] * 6)
        assert yard.client.job(records[0].number).state in {"submitted", "running", "completed"}
        assert yard.client.status()["machines"]
        until(lambda: yard.client.queue()["completed"] >= 1, "the other spawner works on")
        assert yard.client.queue()["completed"] < 6
    finally:
        os.kill(spawner, signal.SIGCONT)
    assert yard.client.wait([r.number for r in records], 30)
    assert {yard.client.job(r.number).state for r in records} == {"completed"}
