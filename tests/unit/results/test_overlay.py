"""Scattering parameters of several jobs: which file is a task's, and what comes of each."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from solveyard.backends.here import LocalWorkspace
from solveyard.model.arrays import ArraySpec
from solveyard.model.criteria import Measure
from solveyard.model.errors import InvalidRequest
from solveyard.model.ids import task_id
from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.overlaid import Overlaid, all_of
from solveyard.results import overlay
from solveyard.results.overlay import Asked

TWO = "# GHz S RI R 50\n1 {0} 0 {1} 0 0 1 0.5 0\n2 {0} 0.5 {1} 0 0 1 0.5 0\n"
OPTIONS: dict[str, Any] = {"argv": ["true"]}


def task(
    folder: Path, position: int, options: dict[str, Any] = OPTIONS, solver: str = "command",
    **more: Any,
) -> Asked:  # fmt: skip
    array = ArraySpec(grid={"width": [1, 2.5, 4]})
    encoded = msgspec.Raw(msgspec.json.encode(options))
    job = Job(
        id=task_id(JobId(7), position), owner="me", submitted_at=1.0, arrival=1, priority=0,
        state=JobState.COMPLETED, attempts=(),
        spec=JobSpec(solver=solver, name="sweep", options=encoded, array=array, **more),
    )  # fmt: skip
    return Asked(job, LocalWorkspace(folder))


def one(asked: Asked, s: str = "11", file: str = "") -> Overlaid:
    [found] = overlay.read([asked], s, file)
    return found


def test_a_tasks_curve_has_its_parameters_and_the_values_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "line.s2p").write_text(TWO.format(0.25, 0.75))
    found = one(task(tmp_path, 1), "21")
    assert (found.task, found.parameters, found.label) == (1, {"width": 2.5}, "width 2.5")
    assert (found.path, found.frequencies) == ("line.s2p", (1e9, 2e9))
    assert found.values == [0.75, 0.75]
    assert one(task(tmp_path, 1)).values == [0.25, 0.25 + 0.5j]


@pytest.mark.skipif(os.name == "nt", reason="names there are text")
def test_a_file_whose_name_is_not_utf_8_is_asked_for_as_it_is_listed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\xfe.s2p")).write_text(TWO.format(0.25, 0))
    (tmp_path / "%FF.s2p").write_text(TWO.format(0.5, 0))
    for file, value in (("%FF%FE.s2p", 0.25), ("%FF.s2p", 0.5), ("\udcff\udcfe.s2p", 0.25)):
        found = one(task(tmp_path, 0), file=file)
        assert (found.trouble, found.values[:1]) == ("", [value])
    assert one(task(tmp_path, 0)).path == "%FF.s2p"
    (tmp_path / "%FF.s2p").unlink()
    assert one(task(tmp_path, 0)).path == "%FF%FE.s2p"


def test_the_file_that_the_job_names_goes_before_others(tmp_path: Path) -> None:
    for name in ("a", "said", "measured_2"):
        (tmp_path / f"{name}.s2p").write_text(TWO.format(0, 0))
    (tmp_path / "other").mkdir()
    assert one(task(tmp_path, 2)).path == "a.s2p"
    assert one(task(tmp_path, 2, {**OPTIONS, "outputs": ["said.s2p"]})).path == "said.s2p"
    measures = {"gain": Measure(source="measured_{{index}}.s2p", touchstone="S11 dB min")}
    assert one(task(tmp_path, 2, measures=measures)).path == "measured_2.s2p"
    assert one(task(tmp_path, 0, measures=measures)).path == "a.s2p", "that isn't there"
    assert one(task(tmp_path, 2), file="measured_{{index}}.s2p").path == "measured_2.s2p"


def test_its_file_is_found_behind_any_number_of_others(tmp_path: Path) -> None:
    for number in range(10_001):
        (tmp_path / f"a{number:05}.dat").touch()
    (tmp_path / "line.s2p").write_text(TWO.format(0, 0))
    assert one(task(tmp_path, 0)).path == "line.s2p"


def test_of_a_folder_that_many_share_only_what_is_surely_its_own_is_taken(tmp_path: Path) -> None:
    for name in ("v0", "v1"):
        (tmp_path / f"{name}.aedtresults").mkdir()
        (tmp_path / f"{name}.aedtresults" / f"{name}.s2p").write_text(TWO.format(0, 0))
    options = {"project_path": f"{tmp_path}/v{{{{index}}}}.aedt", "ansys_edt_path": "/a/ansysedt"}
    shared = {"directory": str(tmp_path)}
    found = one(task(tmp_path, 1, options, "hfss", **shared))
    assert found.path == "v1.aedtresults/v1.s2p"
    assert "no Touchstone file yet" in one(task(tmp_path, 2, options, "hfss", **shared)).trouble
    (tmp_path / "line.s2p").write_text(TWO.format(0, 0))
    assert "no Touchstone file yet" in one(task(tmp_path, 0, **shared)).trouble


def test_of_a_shared_folder_what_the_job_names_or_its_solver_leaves_is_its_own(
    tmp_path: Path,
) -> None:
    options = {"project_path": f"{tmp_path}/v{{{{index}}}}.aedt", "ansys_edt_path": "/a/ansysedt"}
    shared = {"directory": str(tmp_path)}
    solved = overlay.own(task(tmp_path, 1, options, "hfss", **shared).job)
    paths = ("v1.aedtresults/deep/v1.s2p", "v0.aedtresults/v0.s2p", "v1.s2p", "v1.aedtresults.s1p")
    assert [solved(path) for path in paths] == [True, False, False, False]
    measures = {"gain": Measure(source="out_{{index}}.s2p", touchstone="S11 dB min")}
    named = overlay.own(
        task(tmp_path, 2, {**OPTIONS, "outputs": ["b.s1p"]}, measures=measures, **shared).job
    )
    assert [named(path) for path in ("b.s1p", "out_2.s2p", "out_1.s2p", "c.s1p")] == [
        True,
        True,
        False,
        False,
    ]
    assert overlay.own(task(tmp_path, 0).job)("any.s1p"), "its folder is its own"


@pytest.mark.parametrize(
    ("text", "s", "file", "trouble"),
    [
        ("# GHz S RI R 50\n1 nan 0\n", "11", "", "a.s1p: line 2: nan is not finite"),
        ("# GHz S RI R 50\n1 1 0\n", "21", "", "there is no S21: a.s1p has ports 1 to 1"),
        ("# GHz S RI R 50\n1 1 0\n", "2,10", "", "there is no S2,10: a.s1p has ports 1 to 1"),
        ("", "11", "b.s1p", "there is no b.s1p"),
        ("", "11", "b.txt", "'b.txt' has no Touchstone name, such as antenna.s1p"),
        ("", "11", "../b.s1p", "'../b.s1p' leaves the job's folder"),
        ("", "11", "a\0.s1p", "'a\\x00.s1p' is no path"),
    ],
)
def test_a_task_without_a_curve_says_why(
    tmp_path: Path, text: str, s: str, file: str, trouble: str
) -> None:
    (tmp_path / "a.s1p").write_text(text)
    found = one(task(tmp_path, 0), s, file)
    assert (found.trouble, found.frequencies) == (trouble, ())


def test_one_answer_reads_so_much_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TWO.format(0, 0)
    (tmp_path / "a.s2p").write_text(text)
    monkeypatch.setattr(overlay, "ALL", 2 * len(text) + 1)
    tasks = [task(tmp_path, position) for position in range(3)]
    found = list(overlay.read(tasks))
    assert [bool(each.trouble) for each in found] == [False, False, True]
    assert [each.unread for each in found] == [False, False, True]
    assert "ask for fewer at once" in found[2].trouble
    asked = []

    def page(offset: int) -> list[Overlaid]:
        asked.append(offset)
        return list(overlay.read(tasks[offset:]))

    whole = all_of(page)
    assert [(each.task, each.trouble) for each in whole] == [(n, "") for n in range(3)]
    assert asked == [0, 2, 3]


def test_a_file_that_is_too_large_is_no_matter_of_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.s2p").write_text(TWO.format(0, 0))
    monkeypatch.setattr(overlay, "LARGEST", 10)
    found = all_of(lambda offset: list(overlay.read([task(tmp_path, 0)][offset:])))
    assert [(each.trouble, each.unread) for each in found] == [
        ("a.s2p has 0.0 MiB: a file of up to 0 MiB is read", False)
    ]


@pytest.mark.parametrize("word", ["", "1", "111", "x", "0,1", "10", "1,", "S11", "-11", "1,1 2,1"])
def test_what_is_no_parameter_is_refused(word: str) -> None:
    with pytest.raises(InvalidRequest, match="is no parameter such as 21, or 2,10"):
        overlay.pair(word)


def test_a_file_whose_name_is_not_utf_8_is_read_and_told(tmp_path: Path) -> None:
    (tmp_path / "line\udcff.s2p").write_text(TWO.format(0.25, 0.75))
    found = one(task(tmp_path, 1), "21")
    assert (found.path, found.values) == ("line%FF.s2p", [0.75, 0.75])
    (tmp_path / "line\udcff.s2p").write_text("nothing")
    broken = one(task(tmp_path, 1), "21")
    assert "line%FF.s2p" in broken.trouble
    assert msgspec.json.encode([found, broken])
