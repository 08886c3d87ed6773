"""Errors that are nobody's fault."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from solveyard.doors.keys import BEGUN
from solveyard.doors.refusing import refusals


async def leaves(request: web.Request) -> web.StreamResponse:
    raise ConnectionResetError("Cannot write to closing transport")


async def test_who_leaves_while_an_answer_is_written_is_no_error_of_ours() -> None:
    request, response = make_mocked_request("GET", "/jobs/1/results"), web.StreamResponse()
    request[BEGUN] = response
    assert await refusals(request, leaves) is response


async def test_a_connection_of_ours_that_breaks_before_an_answer_is_told() -> None:
    with pytest.raises(ConnectionResetError):
        await refusals(make_mocked_request("GET", "/jobs/1"), leaves)
