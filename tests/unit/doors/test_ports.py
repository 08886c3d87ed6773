"""Addresses that nobody can listen at."""

import pytest

from solveyard.doors import ports
from solveyard.model.errors import InvalidRequest


@pytest.mark.parametrize("host", ["a..b", "\u00e9..", "x" * 70])
def test_what_can_be_no_machines_name_is_said(host: str) -> None:
    with pytest.raises(InvalidRequest, match=f"cannot listen on {host}: no machine can have"):
        ports.bind((host,), 0)
