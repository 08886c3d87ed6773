"""What people ask of a job in Python, as keyword arguments."""

import array
import datetime as dt
import enum
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec
from solveyard.model.policies import Dependency, RetryPolicy
from solveyard.model.reading import MalformedJob
from solveyard.model.resources import Resources
from solveyard.model.wishes import Wishes, parameters, specification


class Scalar:
    """As numpy's: no number to Python, and it tells its value when asked."""

    shape = ()

    def __init__(self, value: float) -> None:
        self.value = value

    def tolist(self) -> float:
        return self.value

    def __iter__(self) -> Any:
        raise TypeError("iteration over a 0-d array")


class Real(float):
    """As numpy's float64."""


class Word(str):
    """As numpy's str_."""


class Colour(enum.Enum):
    RED = "red"


def read(**fields: Any) -> JobSpec:
    return specification({"solver": "command", "options": {"argv": ["true"]}, **fields})


def test_wishes_are_the_fields_of_a_specification_but_for_solver_and_options() -> None:
    assert Wishes.__annotations__.keys() == set(JobSpec.__struct_fields__) - {"solver", "options"}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, Real("nan"), Scalar(math.inf)])
def test_a_number_that_is_not_finite_is_refused_by_its_field(number: Any) -> None:
    for fields, field in (
        ({"time_limit": number}, "$.time_limit"),
        ({"hang": {"after": number}}, "$.hang.after"),
        ({"array": {"grid": {"w": [1.0, number]}}}, "$.array.grid.w[1]"),
        ({"options": {"argv": ["true"], "x": number}}, "$.options.x"),
    ):
        with pytest.raises(MalformedJob, match=r"must be a finite number, not -?(nan|inf)") as told:
            read(**fields)
        assert told.value.field == field


def test_paths_arrays_and_scalars_of_other_libraries_are_read() -> None:
    spec = read(
        directory=Path("/tmp/x"),
        priority=Scalar(4),
        time_limit=Real(5.5),
        wait_limit=Fraction(3, 2),
        note=Word("note"),
        tags=(one for one in ("a", Colour.RED)),
        resources=Resources(cores=2),
        array={"grid": {"w": array.array("d", [0.5, 1.5]), "n": range(2)}},
        options={"argv": [Path("/bin/echo")], "since": dt.date(2026, 1, 31)},
        retry=Scalar(2),
        after=[Scalar(7)],
    )
    assert spec.retry is not None
    assert (spec.retry.tries, spec.after) == (2, (Dependency(job="#7"),))
    assert [one.job for one in read(after=array.array("i", [3, 4])).after] == ["#3", "#4"]
    assert (spec.directory, spec.priority, spec.time_limit) == ("/tmp/x", 4, 5.5)
    assert spec.wait_limit == 1.5
    assert (spec.note, spec.tags, spec.resources.cores) == ("note", ("a", "red"), 2)
    assert spec.array is not None
    assert spec.array.grid == {"w": (0.5, 1.5), "n": (0, 1)}
    assert msgspec.json.decode(spec.options) == {"argv": ["/bin/echo"], "since": "2026-01-31"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"note": object()}, "$.note"),
        ({"options": {"argv": [b"echo"]}}, "$.options.argv[0]"),
        ({"options": {"argv": ["echo", "\ud800"]}}, "$.options"),
        ({"retry": RetryPolicy(on=(b"lost",))}, "$.retry.on[0]"),  # type: ignore[arg-type]
        ({"note": dt}, "$.note"),
        ({"note": "\udcff"}, "$.note"),
        ({"tags": [{"a": {1j: 2}}]}, "$.tags"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(MalformedJob) as told:
        read(**fields)
    assert told.value.field == field
    assert field in str(told.value)


def test_what_is_nested_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(MalformedJob, match=r"`.*` is nested too deeply"):
        read(options={"argv": endless})


def test_what_is_no_job_at_all_is_refused() -> None:
    with pytest.raises(InvalidJob, match="not 'solver'"):
        specification("solver")  # type: ignore[arg-type]


def test_a_parameter_is_any_list_of_values() -> None:
    given = {"w": (1, 2), "n": range(2), "x": (one for one in "ab"), "a": array.array("d", [0.5])}
    assert parameters(given) == {"w": [1, 2], "n": [0, 1], "x": ["a", "b"], "a": [0.5]}


@pytest.mark.parametrize("alone", ["abc", b"abc", 5, 0.5, None, {"w": 1}, Scalar(5)])
def test_a_parameter_that_is_no_list_is_refused(alone: object) -> None:
    with pytest.raises(InvalidJob, match=r"the parameter `w` must be a list of values, not "):
        parameters({"w": alone})


def test_a_field_that_is_misspelt_is_named() -> None:
    with pytest.raises(InvalidJob, match=r"no field `time_limt` .did you mean 'time_limit'"):
        parameters({"time_limt": 5})
