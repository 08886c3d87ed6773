"""Wishes to a batch system: what they take, and how they refuse the rest."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.batch import BatchOptions
from solveyard.model.reading import MalformedJob, spec

TEXTS = ["queue", "account", "reservation", "qos", "gpu_type", "constraint"]
LISTS = ["mail", "modules", "native"]


def _spec(fields: str) -> bytes:
    return b'{"solver": "command", "batch": ' + fields.encode() + b"}"


def test_what_people_write_is_taken_as_it_stands() -> None:
    wishes = {
        "queue": "debug",
        "time": "2-12:00:00",
        "constraint": "[rack1|rack2]&intel",
        "mail": ["eve@example.org", "eve"],
        "modules": ["ansys/2025r2", "gcc/12.2.0+cuda"],
        "native": ["--gres=shard:2", "-R select[ib && mem>100]", "/nodegroup:fast"],
        "prologue": "export A=1\nulimit -s unlimited\n",
    }
    read = spec(_spec(msgspec.json.encode(wishes).decode())).batch
    assert msgspec.json.decode(msgspec.json.encode(read)) == wishes


@pytest.mark.parametrize("field", TEXTS)
@given(st.text(), st.sampled_from("\n\r\0'\"`$\\"), st.text())
def test_no_word_holds_a_line_a_quote_or_a_dollar(
    field: str, before: str, bad: str, after: str
) -> None:
    with pytest.raises(ValueError, match=rf"`batch\.{field}`: expected"):
        BatchOptions(**{field: before + bad + after})


@pytest.mark.parametrize("field", LISTS)
@given(st.text(), st.sampled_from("\n\r\0'\""), st.text())
def test_no_entry_of_a_list_holds_a_line_or_a_quote(
    field: str, before: str, bad: str, after: str
) -> None:
    with pytest.raises(ValueError, match=rf"`batch\.{field}`: expected"):
        BatchOptions(**{field: (f"-{before}{bad}{after}",)})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('{"queue": "a b"}', "`batch.queue`: expected a name such as 'debug', got 'a b'"),
        ('{"queue": "-p"}', "`batch.queue`: expected a name such as 'debug', got '-p'"),
        ('{"time": "soon"}', "`batch.time`: expected a time such as '24:00:00'"),
        ('{"tasks_per_node": 0}', "`batch.tasks_per_node` is 0; it must be from 1"),
        ('{"native": ["wide"]}', "`batch.native`: expected one option such as"),
        ('{"native": [""]}', "`batch.native`: expected one option such as"),
        ('{"mail_on": ["start"]}', "is 'start'; it must be 'begin', 'end' or 'fail'"),
        ('{"prologue": "a\\u0000b"}', "`batch.prologue`: expected text without NUL"),
        ('{"partition": "debug"}', "there is no field `partition` at `$.batch`"),
    ],
)
def test_what_is_wrong_is_said_with_the_way_out(fields: str, message: str) -> None:
    with pytest.raises(MalformedJob) as caught:
        spec(_spec(fields))
    assert message in str(caught.value)
    assert caught.value.field.startswith("$.batch")
