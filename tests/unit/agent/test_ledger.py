"""The ledger: what was written is read again, whatever happened to its end."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.agent import ledger as module
from solveyard.agent.ledger import Ledger

STEPS = st.lists(
    st.tuples(st.sampled_from("ASLEF"), st.sampled_from(["a", "b", "ä\ud800\n"])), max_size=30
)


def _write(ledger: Ledger, steps: list[tuple[str, str]]) -> None:
    for n, (kind, attempt) in enumerate(steps):
        record: dict[str, Any] = {"attempt": attempt, "n": n}
        if kind == "A":
            assert ledger.accept(attempt, {"n": n // 3}) == {"attempt": attempt, "n": n // 3}
        elif kind == "S":
            ledger.started(attempt, record)
        elif kind == "L":
            ledger.limited(attempt, float(n))
        elif kind == "E":
            ledger.ended(attempt, record)
        else:
            ledger.forget([attempt, "nobody"])


def _forgotten(steps: list[tuple[str, str]]) -> set[str]:
    """Ended, then forgotten, and not accepted anew since."""
    ended, forgotten = set[str](), set[str]()
    for kind, attempt in steps:
        if kind == "E":
            ended.add(attempt)
        elif kind == "F" and attempt in ended:
            ended.remove(attempt)
            forgotten.add(attempt)
    return forgotten


def _contents(ledger: Ledger) -> dict[str, tuple[Any, Any, Any]]:
    entries = ledger.entries.items()
    return {attempt: (e.accepted, e.started, e.ended) for attempt, e in entries}


@given(steps=STEPS)
def test_a_new_reader_sees_what_the_writer_knew(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    path = str(tmp_path_factory.mktemp("ledger") / "ledger")
    writer = Ledger(path)
    _write(writer, steps)
    assert writer.flush()
    reader = Ledger(path)
    assert reader.id == writer.id
    assert _contents(reader) == _contents(writer)
    assert reader.forgotten == writer.forgotten == _forgotten(steps)
    writer.close()
    reader.close()


@given(steps=STEPS, cut=st.integers(1, 60))
def test_a_line_that_was_cut_never_happened_and_spoils_none(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger"
    writer = Ledger(str(path))
    _write(writer, steps)
    writer.close()
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    path.write_bytes(data[: max(first, len(data) - cut)])
    whole = path.read_bytes().rpartition(b"\n")[0] + b"\n"
    torn = Ledger(str(path))
    torn.accept("new", {"boot": "b"})
    torn.close()
    path.write_bytes(whole)
    expected = Ledger(str(path))
    expected.accept("new", {"boot": "b"})
    found = Ledger(str(path))
    assert _contents(found) == _contents(expected)
    for ledger in (expected, found):
        ledger.close()


def test_every_new_file_has_an_id_of_its_own(tmp_path: Path) -> None:
    one, two = Ledger(str(tmp_path / "1")), Ledger(str(tmp_path / "2"))
    assert one.id != two.id
    one.close()
    two.close()


def test_a_large_file_of_forgotten_attempts_is_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT", 4096)
    path = tmp_path / "ledger"
    ledger = Ledger(str(path))
    ledger.accept("kept", {"boot": "b"})
    ledger.started("kept", {"attempt": "kept", "pid": 1})
    for n in range(200):
        ledger.accept(f"x{n}", {"cwd": "/" * 50})
        ledger.ended(f"x{n}", {"attempt": f"x{n}"})
        ledger.forget([f"x{n}"])
        assert ledger.flush()
        assert path.stat().st_size < 8192
    again = Ledger(str(path))
    assert again.id == ledger.id
    kept = {"attempt": "kept", "boot": "b"}
    assert _contents(again) == {"kept": (kept, {"attempt": "kept", "pid": 1}, None)}
    ledger.close()
    again.close()


def test_what_is_tried_again_and_again_does_not_grow_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT", 4096)
    path = tmp_path / "ledger"
    ledger = Ledger(str(path))
    for _ in range(500):
        ledger.accept("a", {"cwd": "/" * 50})
        assert ledger.flush()
        assert path.stat().st_size < 8192
    again = Ledger(str(path))
    assert _contents(again) == {"a": ({"attempt": "a", "cwd": "/" * 50}, None, None)}
    ledger.close()
    again.close()


@pytest.mark.parametrize("fits", [0, 5])
def test_what_does_not_fit_is_taken_back_and_only_a_start_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(str(path))
    before = path.read_bytes()
    write = os.write

    def full(file: int, data: bytes) -> int:
        if not fits:
            raise OSError(28, "No space left on device")
        return write(file, data[:fits])

    ledger.ended("a", {"attempt": "a"})
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=rf"cannot write {path}: .*(space|fitted)"):
        ledger.accept("b", {"boot": "b"})
    assert not ledger.flush()
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert ledger.flush()
    again = Ledger(str(path))
    assert _contents(again) == {"a": (None, None, {"attempt": "a"})}
    ledger.close()
    again.close()


def test_a_line_that_was_cut_spoils_none_that_a_full_disk_took_in_two_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger"
    Ledger(str(path)).close()
    with path.open("ab") as file:
        file.write(b'A {"attempt":"cut')  # the power went
    ledger = Ledger(str(path))
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:5]))
    with pytest.raises(OSError, match="fitted"):
        ledger.accept("b", {"boot": "b"})
    monkeypatch.undo()
    ledger.accept("b", {"boot": "b"})
    ledger.close()
    again = Ledger(str(path))
    assert _contents(again) == {"b": ({"attempt": "b", "boot": "b"}, None, None)}
    again.close()


def test_what_a_full_disk_leaves_of_a_line_is_counted_so_that_no_good_one_is_cut_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(str(path))
    write = os.write

    def refused(file: int, size: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: write(file, data[:9]))
        full.setattr(os, "ftruncate", refused)
        with pytest.raises(OSError, match="output error"):
            ledger.accept("a", {"boot": "b"})
    ledger.accept("b", {"boot": "b"})
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: write(file, data[:9]))
        with pytest.raises(OSError, match="fitted"):
            ledger.accept("c", {"boot": "b"})
    ledger.close()
    again = Ledger(str(path))
    assert _contents(again) == {"b": ({"attempt": "b", "boot": "b"}, None, None)}
    again.close()


class Windows:
    """The module os as it is there: it replaces no file that a virus scanner reads, and what isn't
    opened as binary gets two bytes for each end of a line, and counts one.
    """

    name = "nt"
    O_BINARY = 0x8000
    scanned = False
    room: int | None = None

    def __init__(self) -> None:
        self.text: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: str, flags: int, mode: int) -> int:
        file = os.open(path, flags & ~self.O_BINARY, mode)
        self.text.discard(file)
        if not flags & self.O_BINARY:
            self.text.add(file)
        return file

    def write(self, file: int, data: bytes) -> int:
        fits = data[: self.room]
        os.write(file, fits.replace(b"\n", b"\r\n") if file in self.text else fits)
        return len(fits)

    def replace(self, source: str, target: str) -> None:
        if self.scanned:
            raise PermissionError(13, "it is being used by another process")
        Path(source).replace(target)


def test_a_ledger_that_cannot_be_replaced_goes_on_and_writes_into_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = Windows()
    monkeypatch.setattr(module, "LIMIT", 100)
    monkeypatch.setattr(module, "os", system)
    path = str(tmp_path / "ledger")
    ledger = Ledger(path)
    for attempt in ("a", "b", "c"):
        ledger.accept(attempt, {"boot": "b"})
        ledger.ended(attempt, {"attempt": attempt})
    ledger.forget(["a", "b"])
    system.scanned = True
    assert not ledger.flush()
    with (tmp_path / "another").open("wb") as another:  # it gets the next free number
        ledger.accept("d", {"boot": "b"})
        assert os.fstat(another.fileno()).st_size == 0
        again = Ledger(path)
        assert _contents(again) == _contents(ledger)
        again.close()
        system.scanned = False
        assert ledger.flush()
        ledger.accept("e", {"boot": "b"})
        assert os.fstat(another.fileno()).st_size == 0
    again = Ledger(path)
    assert _contents(again) == _contents(ledger)
    assert sorted(again.entries) == ["c", "d", "e"]
    ledger.close()
    again.close()


def test_a_full_disk_costs_no_line_where_files_may_be_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = Windows()
    monkeypatch.setattr(module, "os", system)
    path = str(tmp_path / "ledger")
    ledger = Ledger(path)
    for n in range(30):
        ledger.accept(f"a{n}", {"boot": "b"})
        ledger.ended(f"a{n}", {"attempt": f"a{n}"})
    assert ledger.flush()
    system.room = 10
    with pytest.raises(OSError, match="fitted"):
        ledger.accept("new", {"boot": "b"})
    system.room = None
    again = Ledger(path)
    assert _contents(again) == _contents(ledger)
    ledger.close()
    again.close()
