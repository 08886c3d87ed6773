"""The NEC2 runner, with programs and libraries that are there and that are not."""

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from solveyard.programs import nec2, nec_deck, nec_engines

GOLDEN = Path(__file__).parents[2] / "golden" / "nec"
DECK = (GOLDEN / "dipole.nec").read_text()
WIRE = "GW 1 21 0 0 -0.25 0 0 0.25 0.001"
TURN = ".1 .1 .1 .1"  #: a helix's radii at both ends
TAPERED = DECK.replace(
    WIRE,
    "GW 1 10 0 0 .0125 0 0 .25 0\nGC 0 0 1.1 .001 .0005\n"
    "GW 1 10 0 0 -.0125 0 0 -.25 0\nGC 0 0 1.1 .001 .0005\n"
    "GW 1 1 0 0 -.0125 0 0 .0125 .001",
).replace("EX 0 1 11", "EX 0 1 21")

needs_nec2c = pytest.mark.skipif(not shutil.which("nec2c"), reason="no nec2c on PATH")
needs_pynec = pytest.mark.skipif(not importlib.util.find_spec("PyNEC"), reason="no PyNEC")
ENGINES = [pytest.param("nec2c", marks=needs_nec2c), pytest.param("pynec", marks=needs_pynec)]


def run(
    folder: Path, deck: str, engine: str = "auto", path: str | None = None, name: str = "d.nec"
) -> subprocess.CompletedProcess[str]:
    (folder / name).write_text(deck)
    program = [sys.executable, "-P", "-m", "solveyard.programs.nec2", "--engine", engine]
    return subprocess.run(
        [*program, "--deck", name, "--result", "r.s1p"],
        cwd=folder,
        env={**os.environ, "PATH": os.environ["PATH"] if path is None else path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_recorded_listing_is_read() -> None:
    found = list(nec_engines.read_listing((GOLDEN / "dipole.out").read_text()))
    assert found == [
        (250e6, 48.820 - 112.23j),
        (275e6, 64.535 - 30.840j),
        (300e6, 85.010 + 48.668j),
    ]


def test_a_listing_that_was_cut_is_a_failed_engine() -> None:
    text = (GOLDEN / "dipole.out").read_text()
    with pytest.raises(nec_engines.EngineFailed):
        list(nec_engines.read_listing(text[: text.index("ANTENNA INPUT") + 60]))


@pytest.mark.parametrize(
    ("name", "fault", "words"),
    [
        ("unknown_card", nec_deck.BadCard, "FAULTY DATA CARD LABEL AFTER GEOMETRY SECTION"),
        ("no_such_segment", nec_deck.BadCard, "NO SEGMENT HAS AN ITAG OF 1"),
        ("bad_geometry", nec_deck.BadGeometry, "GEOMETRY DATA CARD ERROR"),
    ],
)
def test_card_errors_are_found_in_recorded_listings(
    name: str, fault: type[Exception], words: str
) -> None:
    found = nec_engines._nec2c_failure(255, (GOLDEN / f"{name}.out").read_text(), "")
    assert type(found) is fault
    assert words in str(found)


@pytest.mark.parametrize(
    ("change", "fault", "words"),
    [
        (("EN\n", ""), nec_deck.BadCard, "without a card EN"),
        (("XQ 0\n", ""), nec_deck.BadCard, "add a card XQ"),
        (("EX 0", "EX 1"), nec_deck.BadCard, "line 5: EX must be a voltage source"),
        (("PT -1", "EX 0 1 5 0 1 0"), nec_deck.BadCard, "2 EX cards"),
        (("PT -1", "FR 0 1 0 0 5"), nec_deck.BadCard, "2 FR cards"),
        (("FR 0 3 0 0 250 25", "FR 0 3 0 0 250 0"), nec_deck.BadCard, "must be positive"),
        (("FR 0 3 0 0 250 25", "FR 0 3 0 0 nan 25"), nec_deck.BadCard, "must be positive"),
        (("FR 0 3 0 0 250 25", "FR 1 9999 0 0 250 25"), nec_deck.BadCard, "beyond all bounds"),
        (("FR 0 3 0 0 250 25", "FR 0 3 0 0 250 MHz"), nec_deck.BadCard, "is no number"),
        (("GW 1 21", "GW 1 0"), nec_deck.BadGeometry, "line 3: a wire of 0 segments"),
        (("-0.25 0 0 0.25", "1 0 0 1"), nec_deck.BadGeometry, "line 3: a wire of no length"),
        (("0.001", "0"), nec_deck.BadGeometry, "line 3: a wire of radius 0 m"),
        (("0.001\n", "-1\nGC 0 0 1 1 1\n"), nec_deck.BadGeometry, "line 3: a wire of radius -1"),
        (("0.001\n", "0\nGC 0 0 0 1 1\n"), nec_deck.BadGeometry, "line 4: a taper of ratio 0"),
        ((WIRE, "GA 1 0 0.1 0 90 0.001"), nec_deck.BadGeometry, "line 3: an arc of 0 segments"),
        ((WIRE, "GA 1 9 0 0 90 0.001"), nec_deck.BadGeometry, "line 3: an arc of no length"),
        ((WIRE, "GA 1 9 0.1 9 9 0.001"), nec_deck.BadGeometry, "line 3: an arc of no length"),
        ((WIRE, "GA 1 9 0.1 0 90 0"), nec_deck.BadGeometry, "line 3: an arc of radius 0 m"),
        ((WIRE, f"GH 1 0 .1 .5 {TURN} .01"), nec_deck.BadGeometry, "a helix of 0 segments"),
        ((WIRE, f"GH 1 9 0 .5 {TURN} .01"), nec_deck.BadGeometry, "a helix of spacing 0 m"),
        ((WIRE, f"GH 1 9 .1 0 {TURN} .01"), nec_deck.BadGeometry, "a helix of no length"),
        ((WIRE, f"GH 1 9 .1 .5 {TURN} 0"), nec_deck.BadGeometry, "a helix of radius 0 m"),
        (("GE 0", "?? 0"), nec_deck.BadCard, "line 4: '?? 0' does not begin"),
    ],
)
def test_a_deck_that_no_engine_can_solve_is_refused_first(
    change: tuple[str, str], fault: type[Exception], words: str
) -> None:
    with pytest.raises(fault) as caught:
        nec_deck.read(DECK.replace(*change))
    assert words in str(caught.value)


def test_a_comment_ends_where_its_line_does_whatever_its_script() -> None:
    said = "CM Ångström\x0cλ/2…\u2028\x1c\n".encode().decode("latin-1")  # as the runner reads it
    assert "\x85" in said
    assert nec_deck.read(said + DECK).frequencies == nec_deck.read(DECK).frequencies


def test_what_a_decks_comments_say_is_no_result() -> None:
    text = (GOLDEN / "dipole.out").read_text()
    at = text.index("COMMENTS")
    lines = "\n FREQUENCY : as in the book\n ANTENNA INPUT PARAMETERS\n"
    assert list(nec_engines.read_listing(text[:at] + lines + text[at:])) == list(
        nec_engines.read_listing(text)
    )


@needs_nec2c
def test_a_wire_whose_radius_a_taper_gives_is_solved(tmp_path: Path) -> None:
    ended = run(tmp_path, TAPERED)
    assert ended.returncode == 0, ended.stderr


def test_frequencies_are_steps_or_factors() -> None:
    assert nec_deck.read(DECK).frequencies == (250e6, 275e6, 300e6)
    factors = DECK.replace("FR 0 3 0 0 250 25", "FR,1,3,0,0,100,2")
    assert nec_deck.read(factors).frequencies == (100e6, 200e6, 400e6)


def test_s11_is_the_reflection_of_the_impedance() -> None:
    text = nec2.one_port([1e6, 2e6], [150 + 0j, 0j], 50.0)
    assert text == "# Hz S RI R 50.0\n1000000 0.5 0.0\n2000000 -1.0 0.0\n"


@pytest.mark.parametrize("impedance", [complex(math.nan, 0), complex(0, math.inf), -50 + 0j])
def test_an_impedance_without_a_finite_reflection_is_refused(impedance: complex) -> None:
    with pytest.raises(nec2.NotFinite):
        nec2.one_port([1e6], [impedance], 50.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_deck_is_solved_with_the_engine_said_first(engine: str, tmp_path: Path) -> None:
    ended = run(tmp_path, DECK, engine)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0].lower().startswith(f"engine: {engine}")
    assert lines[-2:] == ["frequency 3 of 3", "result: r.s1p"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.nec", "r.s1p"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_deck_may_have_a_long_name_in_a_deep_folder(engine: str, tmp_path: Path) -> None:
    folder = tmp_path / ("f" * 100)
    folder.mkdir()
    ended = run(folder, DECK, engine, name=f"{'d' * 80}.nec")
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in folder.iterdir()) == [f"{'d' * 80}.nec", "r.s1p"]


@needs_nec2c
def test_what_a_deck_has_plotted_lies_beside_it(tmp_path: Path) -> None:
    ended = run(tmp_path, DECK.replace("XQ 0\n", "PL 3 1 1 1\nRP 0 19 2 1000 0 0 10 10\n"))
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.nec", "d.nec.plt", "r.s1p"]
    assert (tmp_path / "d.nec.plt").read_text().count("\n") >= 3 * 19 * 2  # directions


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("EX 0 1 11", "EX 0 1 99"), 2),
        (("PT -1", "ZZ 0 1"), 2),
        (("XQ 0\n", ""), 2),
        (("-0.25 0 0 0.25", "1 0 0 1"), 6),
    ],
)
def test_a_bad_deck_leaves_its_reason_and_no_result(
    engine: str, change: tuple[str, str], code: int, tmp_path: Path
) -> None:
    (tmp_path / "r.s1p").write_text("from an earlier run")
    ended = run(tmp_path, DECK.replace(*change), engine)
    assert ended.returncode == code, ended.stderr
    assert not (tmp_path / "r.s1p").exists()
    said = (tmp_path / "r.s1p.error").read_text()
    assert ended.stderr == f"nec2: {said}"


def test_a_reason_is_not_written_through_a_link_that_came_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("mine")

    def failing(path: Path, result: Path, z0: float, engine: str) -> None:
        (tmp_path / "r.s1p.error").symlink_to(tmp_path / "secret")
        raise nec_deck.BadCard("é")

    monkeypatch.setattr(nec2, "solve", failing)
    deck, result = str(tmp_path / "d.nec"), str(tmp_path / "r.s1p")
    assert nec2.main(["--deck", deck, "--result", result]) == 2
    assert (tmp_path / "r.s1p.error").read_text("utf-8") == "é\n"
    assert (tmp_path / "secret").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("deck", [DECK, "no deck"])
def test_what_it_writes_is_for_those_who_may_read_any_new_file(
    engine: str, deck: str, tmp_path: Path
) -> None:
    before = os.umask(0o027)
    try:
        run(tmp_path, deck, engine)
    finally:
        os.umask(before)
    (written,) = tmp_path.glob("r.s1p*")
    assert written.stat().st_mode == (tmp_path / "d.nec").stat().st_mode


@pytest.mark.skipif(sys.platform == "win32", reason="paths are judged before their use there")
def test_a_result_is_written_in_the_folder_below_ours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may exchange it once the deck is there."""
    work, store, other = (tmp_path / name for name in ("work", "work/store", "other"))
    for folder in (work / "sub", store, other):
        folder.mkdir(parents=True)
        (folder / "r.s1p").write_text("an earlier one")
    monkeypatch.setenv("SOLVEYARD_WITHIN", json.dumps([str(tmp_path), f"!{store}"]))

    def solved(deck: Path, result: Path, z0: float, engine: str) -> None:
        (work / "sub").rename(work / "moved")
        (work / "sub").symlink_to(other)
        result.write_text("solved")

    monkeypatch.setattr(nec2, "solve", solved)
    for place, code in (("sub", 0), ("sub", 4), ("store", 4)):
        monkeypatch.chdir(work)
        assert nec2.main(["--deck", f"{place}/r.nec", "--result", f"{place}/r.s1p"]) == code
    assert (work / "moved" / "r.s1p").read_text() == "solved"
    assert {(one / "r.s1p").read_text() for one in (store, other)} == {"an earlier one"}


def test_a_missing_engine_is_said_with_the_way_to_get_it(tmp_path: Path) -> None:
    ended = run(tmp_path, DECK, "nec2c", path=str(tmp_path))
    assert ended.returncode == 3
    assert "apt install nec2c" in ended.stderr


@needs_pynec
def test_without_nec2c_on_path_pynec_solves(tmp_path: Path) -> None:
    ended = run(tmp_path, DECK, "auto", path=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("engine: PyNEC ")


@pytest.mark.parametrize("last", ["kill -SEGV $$", "exit 8", "exit 0"])
def test_an_engine_that_dies_or_is_silent_fails_the_run(last: str, tmp_path: Path) -> None:
    stand_in = tmp_path / "bin" / "nec2c"
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!/bin/sh\n{last}\n")
    stand_in.chmod(0o755)
    ended = run(tmp_path, DECK, "nec2c", path=str(stand_in.parent))
    assert ended.returncode == 4, ended.stderr
    assert not (tmp_path / "r.s1p").exists()
