"""A campaign at the shell: arrays, their tasks, their results."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOLVE = 'echo "gain {{length}}5"; [ {{length}} != 3 ] || [ -e mended ]'
SPEC = {
    "solver": "command",
    "name": "sweep",
    "options": {"argv": ["sh", "-c", SOLVE]},
    "array": {"grid": {"length": [1, 2, 3, 4]}},
    "measures": {"gain": {"pattern": r"gain (\d+)"}},
}


@pytest.fixture
def shell(tmp_path, service):
    """Runs one command; answers its status, output, and what it said beside that."""
    store = service().start().store

    def run(*arguments: str, text: str = "") -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "solveyard.cli", "--store", str(store), *arguments],
            input=text, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False,
            env=os.environ,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    assert run("submit", "--from", "-", "--wait", text=json.dumps(SPEC))[0] == 1
    return run


def test_an_array_is_shown_with_its_progress_and_the_tasks_that_failed(shell):
    _, out, _ = shell("ps", "--all")
    assert "failed 4/4" in out
    _, out, _ = shell("show", "sweep")
    assert "3 completed, 1 failed" in out
    assert "sweep[2]: exit code 1" in out
    _, out, _ = shell("show", "sweep[2]")
    assert out.startswith("job 1[2] (sweep) failed")
    assert "length 3" in out
    assert "gain 35" in out
    assert "logs --err 1[2]" in out


def test_tasks_are_selected_by_index(shell):
    _, out, _ = shell("show", "--json", "sweep[0,2-3]")
    assert [job["id"] for job in json.loads(out)] == ["sweep[0]", "sweep[2]", "sweep[3]"]
    _, out, _ = shell("show", "--json", "1[3],sweep")
    assert [job["id"] for job in json.loads(out)] == ["sweep[3]", "sweep"]
    assert shell("logs", "sweep[1]")[1] == "gain 25\n"
    status, _, error = shell("show", "sweep[9]")
    assert status == 2
    assert "tasks from 0 to 3" in error


def test_only_what_failed_is_retried(shell):
    _, out, _ = shell("show", "--json", "sweep[2]")
    Path(json.loads(out)["directory"], "mended").touch()
    assert shell("retry", "--failed", "sweep")[:2] == (0, "sweep\n")
    assert shell("wait", "sweep")[0] == 0
    _, out, _ = shell("show", "--json", "sweep[0-3]")
    assert [len(job["attempts"]) for job in json.loads(out)] == [1, 1, 2, 1]
    status, out, error = shell("retry", "--failed", "sweep")
    assert (status, out) == (0, "sweep\n")
    assert error == "note: nothing of it had failed, so nothing is run again\n"
    _, out, _ = shell("retry", "sweep[0,3]")
    assert out == "sweep[0]\nsweep[3]\n"
    assert shell("wait", "sweep")[0] == 0
    _, out, _ = shell("show", "--json", "sweep[0-3]")
    assert [len(job["attempts"]) for job in json.loads(out)] == [2, 1, 2, 2]


def test_a_task_alone_can_not_be_removed_and_its_array_stays(shell):
    status, _, error = shell("rm", "sweep[1]")
    assert status in {2, 4}
    assert error.startswith("error: ")
    assert shell("show", "sweep")[0] == 0


def test_results_are_a_table_json_or_csv(shell, tmp_path):
    _, out, _ = shell("results", "sweep")
    assert out.splitlines()[0].split() == [
        "ID", "INDEX", "LENGTH", "STATE", "REASON", "RUN_TIME", "GAIN",
    ]  # fmt: skip
    _, out, _ = shell("results", "sweep", "--json")
    assert [row["gain"] for row in json.loads(out)] == [15, 25, 35, 45]
    assert shell("results", "sweep", "-o", "table.csv")[:2] == (0, "")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["length"], row["state"], row["gain"]) for row in rows][2:] == [
        ("3", "failed", "35"),
        ("4", "completed", "45"),
    ]
    assert shell("results", "sweep[3]", "--csv")[1].startswith("id,index,length,")
    for wrong in (["nosuch", "--csv"], ["sweep", "--csv", "--json"], ["sweep", "-o", "a.txt"],
                  ["nosuch", "-o", "none.csv"]):  # fmt: skip
        status, _, error = shell("results", *wrong)
        assert status == 2
        assert error.startswith("error: ")
    assert not (tmp_path / "none.csv").exists()


def test_last_is_the_newest_job_of_whoever_asks(shell):
    assert shell("submit", "--name", "one", "--hold", "--", "true")[0] == 0
    _, out, _ = shell("submit", "--after", "last:end", "--json", "--", "true")
    two = json.loads(out)
    assert [link["job"] for link in two["after"]] == ["#2"]
    assert "one" in two["waiting"]
    _, out, _ = shell("submit", "--after", "last", "--json", "--dry-run", "--", "true")
    assert json.loads(out)["after"] == [{"job": f"#{two['number']}"}]


def test_tasks_of_the_last_job_are_selected_as_any_others(shell):
    status, _, error = shell(
        "submit", "--array", "0-2", "--wait", "--", "sh", "-c", "echo task {{index}}"
    )
    assert status == 0, error
    assert shell("logs", "last[1]")[:2] == (0, "task 1\n")
    assert shell("wait", "last[0,2]")[0] == 0
    assert len(json.loads(shell("results", "last[0-1]", "--json")[1])) == 2
    assert "there is no job 'latest'" in shell("logs", "latest[0]")[2]


def test_the_page_about_campaigns_holds(shell):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "campaign.md").read_text()
    spec = page.split("```json\n")[1].split("```")[0].replace('"name": "sweep"', '"name": "page"')
    _, _, error = shell("submit", "--from", "-", "--wait", text=spec)
    rows = json.loads(shell("results", "page", "--json")[1])
    if rows[0]["reason"] == "launch":
        pytest.skip("no NEC2 engine is here")
    assert len(rows) == 6, error
    for row in rows:
        assert row["resonance"] == pytest.approx(0.475 * 3e8 / row["length"], rel=0.02)
        assert (row["match"] > -15.1) is (row["state"] == "failed")
    assert [row["state"] for row in rows].count("failed") == 2


def test_tasks_and_results_are_told_while_no_manager_runs(shell, tmp_path):
    asked = [
        ("ps", "--all"), ("show", "sweep"), ("show", "sweep[2]"), ("logs", "sweep[1]"),
        ("show", "--json", "sweep[0,2-3]"), ("results", "sweep"), ("results", "sweep[1,3]"),
        ("results", "sweep", "--csv"), ("results", "sweep", "--json"), ("files", "sweep[0]"),
        ("show", "sweep[9]"), ("results", "nosuch"), ("show", "nosuch[1]"),
    ]  # fmt: skip
    before = [shell(*words) for words in asked]
    assert shell("stop", "--now")[0] == 0
    for words, (status, out, error) in zip(asked, before, strict=True):
        now, told, said = shell(*words)
        assert (now, told) == (status, out), words
        assert "states are as last recorded" in said
        assert said.endswith(error), words
