"""The benchmarks that need other products or many crowds, in small: they find figures."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import environments, growth, peers
from benchmarks.bare import Bare
from benchmarks.failure import CannotMeasure
from benchmarks.peers import PEERS, Peer
from benchmarks.room import Room

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="the benchmarks need Linux and cc"
)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path, Bare.compiled(tmp_path / "bare"), lambda line: None)


@pytest.fixture(scope="session")
def python_of(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """The Python of an environment that pytest's cache keeps; skips where PyPI can't be reached."""
    cache = request.config.cache
    assert cache is not None

    def find(product: str) -> Path:
        pinned = environments.pinned(product)
        folder = cache.mkdir(f"peer-{pinned}") / "env"
        whole = folder / "whole"
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                environments.python_with(pinned, folder)
            except CannotMeasure as error:
                pytest.skip(f"NOT SHOWN: {error}")
            whole.touch()
        return folder / "bin" / "python"

    return find


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.product)
def test_a_peer_launches_what_we_launch(
    peer: Peer, python_of: Callable[[str], Path], room: Room
) -> None:
    assert peers.launches(room, peer, python_of(peer.product), 12) > 0


def test_crowds_of_each_size_are_compared(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "SHAPES", {"flat": growth.flat, "array": growth.array})
    found = growth.run(room, (4, 12), links=3, least=8)
    assert [figure.name.partition(",")[0] for figure in found[:3]] == ["own CPU of a job"] * 3
    assert [figure.name.split(", ")[1] for figure in found[:3]] == ["flat", "array", "chain"]
    assert all(figure.ratio is not None and figure.ratio >= 1 for figure in found[:3])
    assert all(figure.value > 0 and figure.ratio for figure in found)
    assert [figure.name for figure in found[3:]] == [
        "launches of 12 over those of 4",
        "a chain of 3 over as fast as a flat crowd goes",
    ]
