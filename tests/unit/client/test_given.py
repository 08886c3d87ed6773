"""What callers give, as it is sent or refused."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from solveyard.client import calls, given
from solveyard.model import reading
from solveyard.model.criteria import Bounds, Measure, SuccessCriteria
from solveyard.model.errors import InvalidRequest
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.reading import MalformedJob

SPEC = JobSpec(solver="command", options=msgspec.Raw(b'{"argv":["true"]}'))


def endless() -> list[Any]:
    whole: list[Any] = []
    whole.append(whole)
    return whole


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        (
            {
                "success": SuccessCriteria(bounds={"g": Bounds(min=float("nan"), max=9.0)}),
                "measures": {"g": Measure(pattern="g=(.*)")},
            },
            "success.bounds.g.min",
            "must be a finite number, not nan",
        ),
        ({"options": {"x": np.float32("inf")}}, "options.x", "must be a finite number, not inf"),
        ({"options": {"argv": ["echo", b"x"]}}, "options.argv[1]", "must be text, not bytes"),
        ({"tags": (bytearray(b"x"),)}, "tags[0]", "must be text, not bytes"),
        ({"options": {"argv": endless()}}, "options", "is nested too deeply"),
        ({"note": object()}, "note", "can't be written as JSON"),
        ({"options": {"x": Fraction(10**400)}}, "options", "can't be written as JSON"),
    ],
)
def test_what_a_specification_cannot_say_is_refused_by_its_field(
    fields: dict[str, Any], field: str, why: str
) -> None:
    bad = JobSpec(**{"solver": "command", "options": {"argv": ["true"]}, **fields})
    asks: list[tuple[Callable[[], object], str]] = [
        (lambda: calls.preview(bad), "$"),
        (lambda: calls.submit([SPEC, bad]), "$[1]"),
    ]
    for ask, at in asks:
        with pytest.raises(MalformedJob, match=why) as told:
            ask()
        assert told.value.field == f"{at}.{field}"


def test_a_specification_may_hold_what_other_libraries_make() -> None:
    options: Any = {"argv": np.array(["true"]), "at": Path("/x"), "of": (n for n in (1, 2))}
    tags: Any = np.array(["a"])
    asked = calls.preview(JobSpec(solver="x", name=np.str_("zz"), tags=tags, options=options))
    sent = reading.spec(asked.body or b"")
    assert (sent.name, sent.tags) == ("zz", ("a",))
    assert msgspec.json.decode(sent.options) == {"argv": ["true"], "at": "/x", "of": [1, 2]}


def test_what_nobody_gave_is_not_sent() -> None:  # a manager of before may not know it
    assert calls.preview(SPEC).body == b'{"solver":"command","options":{"argv":["true"]}}'


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda: calls.jobs(name=["a"]), r"`name` is a text or a number, not \['a'\]"),
        (lambda: calls.jobs(tag={"a"}), r"`tag` is a text or a number, not \{'a'\}"),
        (lambda: calls.jobs(states=[1]), "a state is one of held, .*, not 1"),
        (lambda: calls.jobs(limit=Fraction(10**400)), "`limit` is too large a number"),
        (lambda: calls.log(1, ["out"], 0, 1, None, 0.0), r"`stream` is a text or a number"),
        (lambda: calls.submit([SPEC], key=3), "a key is a text, not 3"),
        (lambda: calls.set_limits({"max_concurrent": Fraction(10**400)}), "sent as JSON"),
        (lambda: calls.wait(["a\udcff"], 0), "a%FF.* isn't UTF-8"),
        (lambda: calls.keys(SPEC), r"by its name or number, not by JobSpec\(solver='command'"),
        (lambda: calls.keys([None]), "by its name or number, not by None"),
        (lambda: calls.job(1.0), r"by its name or number, not by 1\.0"),
        (lambda: calls.cancel(True, None), "by its name or number, not by True"),
        (lambda: calls.file(1, 3), "a text is needed, not 3"),
    ],
)
def test_what_can_be_no_such_thing_is_refused_in_words(ask: Callable[[], object], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        ask()


def test_no_states_are_any() -> None:
    assert calls.jobs(states=None).target == calls.jobs().target == "/jobs?limit=50"
    assert calls.tasks(1, None, 5, 0).target == "/jobs/%231/tasks?limit=5&offset=0"
    assert "state=held%2Cqueued" in calls.jobs([JobState.HELD, JobState.QUEUED]).target


def test_a_specification_may_be_given_by_its_fields() -> None:
    named: Any = {"solver": "command", "options": {"argv": ["true"]}}
    assert msgspec.json.decode(given.specifications(named)) == named
    assert msgspec.json.decode(given.specifications([named, SPEC])) == [named, named]
