"""An id that may be awaited."""

import asyncio
import json

from solveyard.pyedb.awaiting import SubmittedId


def test_it_is_its_text() -> None:
    one = SubmittedId("a-1")
    assert one == "a-1"
    assert {"a-1": 1}[one] == 1
    assert json.dumps([one]) == '["a-1"]'


def test_it_may_be_run_and_awaited_more_than_once() -> None:
    one = SubmittedId("a-1")
    assert asyncio.run(one) == "a-1"  # type: ignore[arg-type]  # it is known by its methods

    async def inside() -> list[str]:
        return [await one, await asyncio.wait_for(one, 5), await one]

    assert asyncio.run(inside()) == ["a-1"] * 3
