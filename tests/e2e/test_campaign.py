"""A campaign: an array with criteria and measures, run by a real manager with real commands."""

from pathlib import Path

import pytest

from solveyard import Yard
from solveyard.model.errors import InvalidJob

SOLVE = """
echo "start {{index}}"
[ {{length}} = 3 ] && echo "step 1 diverged"
[ {{length}} = 4 ] && exit 3
printf '{"far": {"gain": [{{length}}.5]}}' > out_{{index}}.json
echo "residual 1e-{{length}}"
"""


@pytest.fixture
def store(tmp_path: Path, service) -> Path:
    """A store whose agent is ended after the test."""
    return service().store


def sweep(lengths: list[int], **more: object) -> dict[str, object]:
    return {
        "solver": "command",
        "name": "sweep",
        "options": {"argv": ["sh", "-c", SOLVE]},
        "array": {"grid": {"length": lengths}},
        "success": {
            "exit_codes": [0],
            "files": ["out_{{index}}.json"],
            "must_match": ["^residual "],
            "must_not_match": ["diverged"],
            "bounds": {"gain": {"max": 5}},
        },
        "measures": {
            "gain": {"from": "out_{{index}}.json", "json": "far.gain[0]"},
            "residual": {"pattern": r"residual (\S+)"},
        },
        **more,
    }


def test_each_task_is_judged_by_what_it_wrote(store):
    with Yard(store) as yard:
        [job] = yard.submit_many([sweep([1, 3, 4, 5])])
        record = job.wait(60)
        assert record.state == "failed"
        with yard.client() as client:
            tasks = [client.job(f"sweep[{index}]") for index in range(4)]
        assert [(task.state, task.reason, task.cause) for task in tasks] == [
            ("completed", "success", ""),
            ("failed", "criteria", "criteria.pattern"),
            ("failed", "exit_code", ""),
            ("failed", "criteria", "criteria.bound"),
        ]
        assert tasks[0].values == {"gain": 1.5, "residual": 0.1}
        assert tasks[1].message == "stdout matches 'diverged' in line 2: step 1 diverged"
        assert tasks[3].message == "gain is 5.5, above 5"


def test_a_result_of_an_earlier_run_is_no_result(store, tmp_path):
    (tmp_path / "made.json").write_text('{"gain": 1}')
    with Yard(store) as yard:
        job = yard.command(
            ["true"],
            directory=str(tmp_path),
            success={"files": ["made.json"]},
            measures={"gain": {"from": "made.json", "json": "gain"}},
        )
        record = job.wait(60)
        assert (record.state, record.reason, record.values) == ("failed", "no_output", {})
        assert "made.json is old" in record.message


def test_other_exit_codes_may_be_success(store):
    with Yard(store) as yard:
        job = yard.command(["sh", "-c", "exit 3"], success={"exit_codes": [0, 3]})
        record = job.wait(60)
        assert (record.state, record.exit_code) == ("completed", 3)


def test_criteria_hold_for_another_solver(store):
    dipole = {"length": 0.5, "radius": 0.001, "segments": 21}
    options = {"dipole": dipole, "frequencies": {"start": 2e8, "stop": 4e8, "points": 21}}
    with Yard(store) as yard:
        job = yard.submit(
            "nec",
            options,
            measures={
                "match": {"from": "result.s1p", "touchstone": "S11 dB min"},
                "resonance": {"from": "result.s1p", "touchstone": "S11 dB argmin"},
            },
            success={"bounds": {"match": {"max": -60}}},
        )
        record = job.wait(60)
        if record.reason == "launch":
            pytest.skip("no NEC2 engine is here")
        assert (record.state, record.cause) == ("failed", "criteria.bound")
        assert 2.7e8 < record.values["resonance"] < 3.0e8  # a bit below half a wave at 300 MHz


def test_tasks_may_each_have_a_directory(store, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with Yard(store) as yard:
        [job] = yard.submit_many([
            {
                "solver": "command",
                "options": {"argv": ["sh", "-c", "pwd > here"]},
                "array": {"values": ["a", "b"]},
                "directory": str(tmp_path / "{{value}}"),
                "success": {"files": ["here"]},
            }
        ])  # fmt: skip
        assert job.wait(60).state == "completed"
        assert (tmp_path / "b" / "here").read_text() == f"{tmp_path / 'b'}\n"


def test_a_pattern_that_is_none_is_refused_at_the_door(store):
    with Yard(store) as yard, pytest.raises(InvalidJob, match=r"success.must_match\[0\].*RE2"):
        yard.command(["true"], success={"must_match": ["(a"]})
