"""What the commands' options mean."""

import argparse

import pytest

from solveyard.pyedb.submit_job_on_scheduler import run_limit


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("24", "24:00:00"),
        ("1.5", "1:30:00"),
        ("0.01", "0:00:36"),
        ("12:30:15", "12:30:15"),
        ("1.02:00:00", "26:00:00"),
        ("unlimited", "unlimited"),
        ("Unlimited", "unlimited"),
    ],
)
def test_a_run_limit_is_hours_or_a_time_or_unlimited(typed: str, meant: str) -> None:
    assert run_limit(typed) == meant


@pytest.mark.parametrize("typed", ["0", "-1", "nan", "inf", "soon", "", "1e300"])
def test_a_run_limit_that_makes_no_sense_is_refused(typed: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        run_limit(typed)
