"""Limits as PyEDB's users hold them: numbers, and a session's own."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest

from solveyard.pyedb import limits
from solveyard.pyedb.errors import InvalidConfig
from solveyard.pyedb.job_manager_handler import JobManagerHandler
from solveyard.pyedb.limits import ResourceLimits
from solveyard.pyedb.service import JobManager
from solveyard.pyedb.session import Session


def never() -> NoReturn:
    raise AssertionError("it is opened")


@pytest.fixture
def session() -> Session:
    return Session(never)


def test_numbers_of_any_kind_are_taken() -> None:
    given: dict[str, Any] = {"max_concurrent_jobs": np.int64(3), "max_cpu_percent": np.float32(30)}
    found = ResourceLimits(**given)
    assert found == ResourceLimits(3, 30.0)
    assert json.loads(json.dumps(found.to_dict()))["max_concurrent_jobs"] == 3


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_a_copy_is_no_sessions(session: Session, copied: Callable[[Any], Any]) -> None:
    theirs = limits.current(session)
    mine = copied(theirs)
    assert mine == theirs
    mine.max_concurrent_jobs = 7
    assert session.wanted == {}
    theirs.max_concurrent_jobs = np.int64(5)  # type: ignore[assignment]  # any kind of number
    assert json.loads(json.dumps(session.wanted)) == {"max_concurrent_jobs": 5}
    assert json.loads(json.dumps(vars(theirs))) == theirs.to_dict()


@pytest.mark.parametrize("wrong", [{"max_concurrent_jobs": 2}, None, 4])
def test_what_are_no_limits_is_refused_in_words(wrong: Any) -> None:
    handler = JobManagerHandler(port=0)
    for owner in (handler, handler.manager, handler.manager.job_pool):
        with pytest.raises(InvalidConfig, match="must be limits, such as ResourceLimits"):
            owner.resource_limits = wrong
    for kind in (JobManagerHandler, JobManager):
        if wrong is not None:
            with pytest.raises(InvalidConfig, match="must be limits"):
                kind(resource_limits=wrong)


def test_a_session_is_not_told_to_start_none(session: Session) -> None:
    theirs = limits.current(session)
    with pytest.raises(InvalidConfig, match="must be above 0"):
        theirs.max_concurrent_jobs = 0
    assert (session.wanted, theirs) == ({}, limits.current(session))


def test_what_a_session_was_not_to_set_it_is_not_once_that_is_assigned_again(
    session: Session,
) -> None:
    before = limits.current(session)
    before.min_disk_gb = 3.0
    limits.assign(session, ResourceLimits(1))
    limits.assign(session, before)
    assert session.wanted == {"min_disk_gb": 3.0}
