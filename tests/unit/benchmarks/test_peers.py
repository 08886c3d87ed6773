"""How a peer's launches are counted: by the output files that each start makes."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import environments, peers
from benchmarks.bare import Bare
from benchmarks.failure import CannotMeasure
from benchmarks.figures import at_least
from benchmarks.peers import Peer
from benchmarks.room import Room

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="the benchmarks need Linux and cc"
)
#: A peer whose starts are 20 ms apart, by the times of its files.
_STARTS = """
import os, sys
from pathlib import Path
folder, count = Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir()
for number in range(count - {missing}):
    for kind in ("out", "err"):
        (file := folder / f"{{number}}.{{kind}}").touch()
        os.utime(file, ns=(0, number * 20_000_000))
"""


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[str], float]:
    room = Room(tmp_path, Bare.compiled(tmp_path / "bare"), lambda line: None)

    def measure(script: str) -> float:
        driver = tmp_path / "driver.py"
        driver.write_text(script)
        return peers.launches(
            room, Peer("other", str(driver), at_least(1)), Path(sys.executable), 6
        )

    return measure


def test_its_rate_is_that_of_its_starts(measured: Callable[[str], float]) -> None:
    assert measured(_STARTS.format(missing=0)) == pytest.approx(50)


def test_a_launch_without_its_files_counts_for_nothing(measured: Callable[[str], float]) -> None:
    with pytest.raises(CannotMeasure, match="6 jobs of other left 10 output files"):
        measured(_STARTS.format(missing=1))


def test_what_a_peer_says_when_it_fails_is_told(measured: Callable[[str], float]) -> None:
    with pytest.raises(CannotMeasure, match="other didn't launch 6 jobs: it is full"):
        measured("import sys; sys.exit('it is full')")


def test_each_peer_is_pinned_by_the_extra() -> None:
    for peer in peers.PEERS:
        assert environments.pinned(peer.product).startswith(f"{peer.product}==")


def test_the_lock_has_all_extras_but_the_peers() -> None:
    root = Path(__file__).parents[3]
    extras = {*environments.extras()} - {"bench"}
    recipe = (root / "Makefile").read_text().partition("lock:")[2].split("requirements-dev.lock")[0]
    assert {*recipe.rpartition("--no-header")[2].replace("--extra", "").split()} >= extras
