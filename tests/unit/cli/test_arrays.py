"""What people type of arrays, dependencies and retries becomes a specification, or one line."""

import re
from pathlib import Path

import pytest

from solveyard.cli import arrays, policies
from solveyard.model.errors import InvalidRequest


def array(**given: object) -> object:
    none = dict.fromkeys(("indices", "values", "grid", "rows", "at_once"))
    return arrays.array(**(none | given))  # type: ignore[arg-type]  # what a test gives


def test_indices_have_both_ends() -> None:
    assert array(indices="0-99") == {"stop": 100}
    assert array(indices="5-9:2", at_once=3) == {"start": 5, "stop": 10, "step": 2, "at_once": 3}
    assert array(indices="-2-2") == {"start": -2, "stop": 3}
    assert array() is None


@pytest.mark.parametrize("name", ["indices", "values", "rows"])
def test_an_empty_text_is_no_array_and_not_no_array(name: str) -> None:
    with pytest.raises(InvalidRequest, match="is empty"):
        array(**{name: ""})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,2, 3", [1, 2, 3]),
        ("0.8:1.4:0.2", [0.8, 1.0, 1.2, 1.4]),
        ("0.1:0.35:0.1", [0.1, 0.2, 0.3]),
        ("3:1:-1", [3, 2, 1]),
        ("1:4", [1, 2, 3, 4]),
        ("1:2:0.5,9", [1.0, 1.5, 2.0, 9]),
        ("1e9,2.50,.5", [1e9, 2.5, 0.5]),
        ("true,False,007,fr4,a:b,-3", [True, "False", "007", "fr4", "a:b", -3]),
    ],
)
def test_values_are_numbers_where_they_read_like_numbers(text: str, found: list[object]) -> None:
    read = arrays.listed(text, "--values")
    assert [(type(one), one) for one in read] == [(type(one), one) for one in found]


def test_a_range_of_decimals_is_exact() -> None:
    assert arrays.listed("0:1:0.1", "") == [number / 10 for number in range(11)]


def test_a_table_gives_a_task_for_each_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfw, material\r\n0.8,"FR4, thin"\r\n\r\n1,air\r\n')
    assert array(rows=str(path)) == {
        "rows": [{"w": 0.8, "material": "FR4, thin"}, {"w": 1, "material": "air"}]
    }


def test_a_cell_keeps_the_line_ends_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes('w,n\n"a\nb",1\nc\u2028d,2\n'.encode())
    assert array(rows=str(path)) == {"rows": [{"w": "a\nb", "n": 1}, {"w": "c\u2028d", "n": 2}]}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"indices": "10"}, "0-99"),
        ({"indices": "9-0"}, "ends before it begins"),
        ({"indices": "0-9:0"}, "`step` is 0"),
        ({"indices": "0-99999999"}, "8000000"),
        ({"values": "1,,2"}, "between two commas"),
        ({"values": "1:9:-1"}, "don't lead from 1 to 9"),
        ({"values": "1:2:0"}, "don't lead"),
        ({"values": "0:1:1e-300"}, "more than 8000000"),
        ({"values": "1e999"}, "too large"),
        ({"grid": ["w"]}, "is no parameter"),
        ({"grid": ["w=1", "w=2"]}, "twice"),
        ({"grid": ["index=1"]}, "can't be a parameter's name"),
        ({"grid": ["a b=1"]}, "can't be a parameter's name"),
        ({"values": "1", "indices": "0-3"}, "give one of --array and --values"),
        ({"at_once": 2}, "--at-once goes with"),
        ({"values": "1", "at_once": 0}, "`at_once` is 0"),
        ({"rows": "/nowhere/at/all.csv"}, "cannot read"),
    ],
)
def test_what_is_no_array_is_said(given: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(told)):
        array(**given)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no row"),
        ("w,er\n", "has no row"),
        ("w,w\n1,2\n", "names a column twice"),
        ("w,er\n1,2\n3\n", "line 3 of "),
        ('w\n"a\n', "is no CSV"),
        ("w;er\n1;2\n", "can't be a parameter's name"),
    ],
)
def test_a_table_that_is_none_is_said_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InvalidRequest, match=re.escape(told)):
        array(rows=str(path))


def test_a_dependency_is_a_job_and_how_it_ends() -> None:
    asked = ["mesh", "7:end", "sweep[3]:failure", "a:b", "last:end"]
    assert policies.after(asked, lambda: "9") == [
        {"job": "mesh"},
        {"job": "7", "on": "end"},
        {"job": "sweep[3]", "on": "failure"},
        {"job": "a:b"},
        {"job": "9", "on": "end"},
    ]
    for wrong, told in (("mesh:sucess", "did you mean 'success'"), (":end", "names no job")):
        with pytest.raises(InvalidRequest, match=told):
            policies.after([wrong], lambda: "9")


def test_a_retry_is_what_was_given_of_it() -> None:
    assert policies.retry(None, (), "", None) is None
    assert policies.retry(5, ["licence,hfss.mpi", "nec"], "2m", 1.5) == {
        "tries": 5,
        "on": ["licence", "hfss.mpi", "nec"],
        "delay": 120.0,
        "memory_factor": 1.5,
    }
    with pytest.raises(InvalidRequest, match="did you mean 'time_limit'"):
        policies.retry(3, ["timelimit"], "", None)
