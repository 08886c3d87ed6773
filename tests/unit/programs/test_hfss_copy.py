"""Copies of projects: brought, solved by a program of the test's, gathered and tidied."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solveyard.programs import hfss_copy

SOLVE = """
import os, sys
from pathlib import Path
project = Path(sys.argv[1])
assert project.read_text() == "a project", project
assert project.parent == Path.cwd()
results = project.with_suffix(".aedtresults") / "d.results"
results.mkdir(parents=True)
(results / "board.s2p").write_text("# GHz S RI R 50")
(results / "fields.mesh").write_text("large")
(results / "solution.asol").write_text("pointers")
logs = Path(f"{project}.batchinfo")
logs.mkdir(exist_ok=True)
(logs / "board-j.log").write_text("log")
sys.exit(int(os.environ.get("ENDS", "0")))
"""


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here = folder / "job"
        self.here.mkdir()
        self.source = folder / "board.aedt"
        self.source.write_text("a project")

    def run(self, *argv: str, ends: int = 0, **more: object) -> "subprocess.CompletedProcess[str]":
        solve = [sys.executable, "-c", SOLVE, f"{hfss_copy.FOLDER}/board.aedt"]
        plan = {
            "source": str(self.source),
            "project": "board.aedt",
            "argv": list(argv) or solve,
            "keep": "all",
            "min_disk": 0,
            "scratch": "",
            "stop": [],
        }
        (self.here / "plan.json").write_text(json.dumps(plan | more))
        return subprocess.run(
            [sys.executable, "-m", "solveyard.programs.hfss_copy", "plan.json"],
            cwd=self.here, env={**os.environ, "ENDS": str(ends)}, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip

    def write(self, *paths: str, **more: object) -> str:
        """What a solve is brought that leaves `paths`."""
        solve = [sys.executable, "-c", WRITES, f"{hfss_copy.FOLDER}/board.aedt", *paths]
        told = self.run(*solve, **more)
        assert told.returncode == 0, told.stderr
        return told.stdout.strip()

    def shown(self) -> dict[str, str]:
        folder = self.here / "results"
        files = (place for place in folder.rglob("*") if place.is_file())
        return {place.relative_to(folder).as_posix(): place.read_text() for place in files}

    def files(self) -> set[str]:
        return {str(p.relative_to(self.here)) for p in self.here.rglob("*") if p.is_file()}


#: Tells what it was brought; leaves what each of the words after the project names, and its lock.
WRITES = """
import sys
from pathlib import Path
project, *paths = sys.argv[1:]
project = Path(project)
layout = project.with_suffix(".aedb") / "edb.def"
print("model", project.read_text(), "layout", layout.read_text() if layout.exists() else None)
for path in map(Path, paths):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{path} of a {project.read_text()} model")
Path(f"{project}.lock").touch()
"""

RESULTS = {"results/board.s2p", "results/board-j.log"}
KEPT = {
    "board.aedtresults/d.results/board.s2p", "board.aedtresults/d.results/solution.asol",
}  # fmt: skip
MESH = "board.aedtresults/d.results/fields.mesh"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_copy_is_solved_and_what_people_look_at_is_gathered(bench: Bench) -> None:
    assert bench.run().returncode == 0
    assert RESULTS | KEPT | {MESH} <= bench.files()
    assert sorted(p.name for p in bench.folder.iterdir()) == ["board.aedt", "job"]
    assert bench.run(ends=7).returncode != 0  # its results are still there: mkdir fails


def test_results_are_trimmed_or_packed_but_never_of_a_solve_that_failed(bench: Bench) -> None:
    assert bench.run(keep="trimmed").returncode == 0
    assert MESH not in bench.files()
    assert bench.files() >= RESULTS | KEPT
    packed = Bench(bench.folder / "job")
    assert packed.run(keep="archive").returncode == 0
    assert MESH not in packed.files()
    with zipfile.ZipFile(packed.here / "board.aedtresults.zip") as archive:
        assert MESH in archive.namelist()
    failed = Bench(packed.folder / "job")
    assert failed.run(keep="trimmed", ends=7).returncode == 7
    assert MESH in failed.files()
    assert failed.files() >= RESULTS


def test_an_archive_is_unpacked_under_its_own_name(bench: Bench) -> None:
    for kind in ("zip", "tar"):
        place = bench.folder / "board.aedtz"
        if kind == "zip":
            with zipfile.ZipFile(place, "w") as packed:
                packed.write(bench.source, "Project1.aedt")
        else:
            with tarfile.open(place, "w:gz") as packed_:
                packed_.add(bench.source, "inside/Project1.aedt")
        each = Bench(bench.folder / kind) if (bench.folder / kind).mkdir() is None else bench
        assert each.run(source=str(place)).returncode == 0
        assert each.files() >= RESULTS


def test_what_can_not_be_copied_is_told(bench: Bench) -> None:
    torn = bench.folder / "torn.aedtz"
    torn.write_text("neither")
    empty = bench.folder / "empty.aedtz"
    with zipfile.ZipFile(empty, "w"):
        pass
    hollow = bench.folder / "hollow.aedtz"
    with zipfile.ZipFile(hollow, "w") as packed:
        packed.writestr("board.aedt/notes", "")  # a folder of a project's name
    cut = bench.folder / "cut.aedtz"
    with tarfile.open(cut, "w:gz") as packed_:
        packed_.add(bench.source, "board.aedt")
    cut.write_bytes(cut.read_bytes()[:-20])
    for more, code, words in (
        ({"source": "/no/such.aedt"}, hfss_copy.NO_COPY, "/no/such.aedt can't be copied"),
        ({"source": str(torn)}, hfss_copy.NO_COPY, "restore it in AEDT"),
        ({"source": str(empty)}, hfss_copy.NO_COPY, "holds 0 projects"),
        ({"source": str(hollow)}, hfss_copy.NO_COPY, "holds 0 projects"),
        ({"source": str(cut)}, hfss_copy.NO_COPY, "damaged or protected: archive it anew"),
        ({"min_disk": 1 << 60}, hfss_copy.NO_ROOM, "no room for a copy"),
    ):
        told = bench.run(**more)
        assert (told.returncode, words in told.stderr) == (code, True), told.stderr
        assert told.stderr.count("\n") == 1
    told = bench.run("/no/such/ansysedt")
    assert (told.returncode, "/no/such/ansysedt" in told.stderr) == (hfss_copy.NO_START, True)


def test_a_project_that_is_open_is_copied_with_a_note_and_its_layout_comes_along(
    bench: Bench,
) -> None:
    bench.source.with_name("board.aedt.lock").touch()
    layout = bench.source.with_suffix(".aedb")
    layout.mkdir()
    (layout / "edb.def").write_text("layout")
    told = bench.run()
    assert (told.returncode, "open elsewhere" in told.stderr) == (0, True)
    assert (bench.here / "board.aedb" / "edb.def").read_text() == "layout"
    assert not (bench.here / "board.aedt.lock").exists()


def bring(source: Path, copy: Path) -> None:
    with hfss_copy.found(source) as original:
        hfss_copy.bring(original, copy)


def model(folder: Path, text: str, *, layout: bool = True) -> Path:
    """A project and its layout, in `folder`."""
    project, inside = folder / "board.aedt", folder / "board.aedb"
    project.write_text(text)
    shutil.rmtree(inside, ignore_errors=True)
    if layout:
        inside.mkdir()
        (inside / "edb.def").write_text(text)
    return project


def packed(folder: Path, kind: str, text: str, *, layout: bool = True) -> Path:
    """The same with notes beside it, in an archive."""
    model(folder, text, layout=layout)
    (folder / "board.pyaedt").mkdir(exist_ok=True)
    (folder / "board.pyaedt" / "notes.json").write_text(text)
    place = folder.parent / "board.aedtz"
    if kind == "zip":
        with zipfile.ZipFile(place, "w") as archive:
            for each in folder.rglob("*"):
                archive.write(each, each.relative_to(folder))
    else:
        with tarfile.open(place, "w:gz") as archive_:
            archive_.add(folder, "inside")
    return place


def test_a_try_after_another_is_brought_the_project_and_its_layout_anew(bench: Bench) -> None:
    model(bench.folder, "broken")
    assert bench.write("board.aedtresults/passes") == "model broken layout broken"
    model(bench.folder, "mended")
    assert bench.write() == "model mended layout mended"
    assert (bench.here / "board.aedtresults" / "passes").is_file()
    model(bench.folder, "flat", layout=False)
    assert bench.write() == "model flat layout None"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_so_is_all_that_an_archive_holds(bench: Bench, kind: str) -> None:
    folder = bench.folder / "packed"
    folder.mkdir()
    archive = str(packed(folder, kind, "broken"))
    found = bench.write("board.aedtresults/passes", "results/old.s1p", source=archive)
    assert found == "model broken layout broken"
    packed(folder, kind, "mended")
    assert bench.write(source=archive) == "model mended layout mended"
    assert (bench.here / "board.pyaedt" / "notes.json").read_text() == "mended"
    assert (bench.here / "board.aedtresults" / "passes").is_file()
    packed(folder, kind, "flat", layout=False)
    assert bench.write(source=archive) == "model flat layout None"


def test_the_copy_of_a_layout_that_may_only_be_read_may_be_written(bench: Bench) -> None:
    model(bench.folder, "kept")
    layout = bench.folder / "board.aedb"
    (layout / "edb.def").chmod(0o444)
    layout.chmod(0o555)
    bench.write()
    copied = bench.here / "board.aedb"
    assert copied.stat().st_mode & stat.S_IWUSR
    assert (copied / "edb.def").stat().st_mode & stat.S_IWUSR


def test_a_layouts_own_project_is_made_anew_by_each_try(bench: Bench) -> None:
    layout = bench.folder / "board.aedb"
    layout.mkdir()
    (layout / "edb.def").write_text("broken")
    solve = [
        sys.executable, "-c",
        "import sys; from pathlib import Path; here = Path(sys.argv[1]);"
        "print(Path('board.aedt').exists(), (here / 'edb.def').read_text());"
        "[Path(f'board.{end}').touch() for end in ('aedt', 'aedt.lock', 'aedt.auto')]",
        f"{hfss_copy.FOLDER}/board.aedb",
    ]  # fmt: skip
    source = {"source": str(layout), "project": "board.aedb"}
    assert bench.run(*solve, **source).stdout.split() == ["False", "broken"]
    (layout / "edb.def").write_text("mended")
    assert bench.run(*solve, **source).stdout.split() == ["False", "mended"]
    bring(layout, bench.here / "board.aedb")
    assert not {"board.aedt.lock", "board.aedt.auto"} & bench.files()


@pytest.mark.parametrize("kind", ["plain", "zip"])
def test_a_try_that_was_killed_while_it_was_brought_is_mended_by_the_next(
    bench: Bench, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bench.folder / "packed"
    folder.mkdir()
    source = model(folder, "old") if kind == "plain" else packed(folder, kind, "old")
    monkeypatch.chdir(bench.here)
    copy = Path("board.aedt")
    bring(source, copy)
    steps = ("copyfileobj", "rmtree", "utime", "replace", "unlink")
    done = 0

    def killing(step: Callable[..., Any], last: int) -> Callable[..., Any]:
        def stepped(*given: Any, **named: Any) -> Any:
            nonlocal done
            done += 1
            if done > last:
                raise KeyboardInterrupt
            return step(*given, **named)

        return stepped

    for last in range(100):
        text = f"new {last}"
        source = model(folder, text) if kind == "plain" else packed(folder, kind, text)
        done = 0
        with monkeypatch.context() as killed:
            for name in steps:
                of = next(one for one in (shutil, os, Path) if hasattr(one, name))
                killed.setattr(of, name, killing(getattr(of, name), last))
            try:
                bring(source, copy)
            except KeyboardInterrupt:
                ended = True
            else:
                ended = False
        bring(source, copy)
        assert (copy.read_text(), Path("board.aedb/edb.def").read_text()) == (text, text)
        if not ended:
            break
    else:
        pytest.fail("it was always killed")
    assert last > 3, "it was killed at several steps"


def test_what_a_try_before_left_is_not_gathered_as_this_ones(bench: Bench) -> None:
    bench.source.write_text("broken")
    bench.write("board.s1p", "board.aedtresults/a.s2p", "board.aedtresults/b.profile")
    assert sorted(bench.shown()) == ["a.s2p", "b.profile", "board.s1p"]
    bench.source.write_text("mended")
    bench.write("board.aedtresults/b.profile")
    assert bench.shown() == {"b.profile": "board.aedtresults/b.profile of a mended model"}
    assert {"board.s1p", "board.aedtresults/a.s2p"} <= bench.files()
    bench.write()
    assert bench.shown() == {}


def test_what_came_in_an_archive_is_no_result_of_its_solve(bench: Bench) -> None:
    place = bench.folder / "board.aedtz"
    with zipfile.ZipFile(place, "w") as archive:
        for name in ("board.aedt", "part.s2p", "board.aedtresults/old.s1p"):
            archive.writestr(name, "packed")
    os.utime(place, (1e9, 1e9))
    bench.write("new.s1p", source=str(place))
    assert sorted(bench.shown()) == ["new.s1p"]
    assert (bench.here / "board.aedtresults" / "old.s1p").stat().st_mtime == 1e9


def test_results_in_an_archive_are_none_of_its_solve(bench: Bench) -> None:
    place = bench.folder / "board.aedtz"
    with zipfile.ZipFile(place, "w") as archive:
        for name in ("board.aedt", "results/old.s1p", "inside/results/data.txt"):
            archive.writestr(name, "a project")
    told = bench.run(source=str(place))
    assert (told.returncode, "the folder results in" in told.stderr) == (0, True), told.stderr
    assert sorted(bench.shown()) == ["board-j.log", "board.s2p"]
    assert (bench.here / "inside" / "results" / "data.txt").is_file()


def test_files_of_one_name_are_gathered_with_their_folders(bench: Bench) -> None:
    written = [
        "board.aedtresults/A.results/sol.profile", "board.aedtresults/B.results/sol.profile",
        "board.aedtresults/B.results/x.s1p", "board.s1p", "board.aedtresults/board.s1p",
    ]  # fmt: skip
    bench.write(*written)
    shown = bench.shown()
    alone = {name.replace("board.aedtresults/B.results/x.s1p", "x.s1p") for name in written}
    assert set(shown) == alone
    assert shown["board.s1p"].startswith("board.s1p of")
    assert shown[written[0]].startswith(written[0])
