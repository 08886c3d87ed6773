"""The command's exit statuses, and what it leaves behind."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks import __main__ as command
from benchmarks.bare import Bare, Loop
from benchmarks.failure import CannotMeasure
from benchmarks.figures import Figure, at_least
from benchmarks.room import Room

from solveyard.model.errors import StoreFull

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks need Linux")


class Machine:
    """Stands for the compiled C program."""

    rate = 2920.0

    def launches(self, count: int) -> Loop:
        return Loop(self.rate, 0.0006)


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bare, "compiled", lambda folder: Machine())
    monkeypatch.setattr(command, "in_memory", lambda folder: False)


def finds(ratio: float) -> object:
    def run(room: Room) -> list[Figure]:
        (room.fresh() / "file").write_text("x")
        figure = Figure(name="some", value=1.0, unit="s", ratio=ratio, target=at_least(0.6))
        return [figure]

    return SimpleNamespace(name="some", sentence="some figure", run=run)


def fails(error: Exception) -> object:
    def run(room: Room) -> list[Figure]:
        raise error

    return SimpleNamespace(name="broken", sentence="no figure", run=run)


@pytest.mark.parametrize(
    ("modules", "status", "found"),
    [
        ([finds(0.7)], 0, 1),
        ([finds(0.5)], 1, 1),
        ([finds(0.5), finds(0.7)], 1, 2),
        ([fails(CannotMeasure("it broke")), finds(0.7)], 2, 1),
        ([finds(0.5), fails(StoreFull("full"))], 2, 1),
    ],
)
def test_the_exit_status_says_whether_all_was_measured_and_held(
    modules: list[object], status: int, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "ALL", modules)
    work, told = tmp_path / "work", tmp_path / "last.json"
    work.mkdir()
    assert command.main(["--folder", str(work), "--json", str(told)]) == status
    assert len(json.loads(told.read_text())) == found
    assert list(work.iterdir()) == []


def test_without_a_compiler_nothing_is_written_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(folder: Path) -> Bare:
        raise CannotMeasure("there is no compiler 'cc'")

    monkeypatch.setattr(Bare, "compiled", missing)
    work, told = tmp_path / "work", tmp_path / "last.json"
    work.mkdir()
    assert command.main(["--folder", str(work), "--json", str(told)]) == 2
    assert "no compiler 'cc'" in capsys.readouterr().err
    assert not told.exists()
    assert list(work.iterdir()) == []


def test_a_folder_in_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "in_memory", lambda folder: folder == tmp_path)
    assert command.main(["--folder", str(tmp_path), "--json", str(tmp_path / "a")]) == 2
    assert "in memory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rate", "beside", "told"),
    [
        (2920.0, 0.02, None),
        (2920.0, 0.3, "WARNING: others had 30% of all cores"),
        (440.0, 0.3, "WARNING: others had 30% of all cores"),
        (1000.0, 0.02, "the C loop had 30% of two cores, and nobody the rest"),
    ],
)
def test_a_busy_or_a_sleepy_machine_is_told_of(
    rate: float,
    beside: float,
    told: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Machine, "rate", rate)
    monkeypatch.setattr(command, "others", lambda *_: beside)
    monkeypatch.setattr(command, "ALL", [finds(0.7)])
    command.main(["--folder", str(tmp_path), "--json", str(tmp_path / "last.json")])
    said = capsys.readouterr().err
    assert told in said if told else "of all cores" not in said
    assert (told is None) == ("of two cores" not in said and "WARNING" not in said)
