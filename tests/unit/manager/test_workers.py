import asyncio
import subprocess
import sys
import threading

import pytest

from solveyard.workers import Workers


async def test_it_answers_what_was_returned_or_raised():
    workers = Workers("w", 2)
    assert await workers.call(lambda: 6 * 7) == 42
    with pytest.raises(ZeroDivisionError):
        await workers.call(lambda: 1 // 0)
    workers.close()


async def test_one_worker_does_one_thing_after_another():
    workers = Workers("w")
    order: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        for i in range(50):
            tasks.create_task(workers.call(lambda i=i: order.append(i)))
    assert order == list(range(50))
    workers.close()


async def test_nobody_minds_an_answer_that_nobody_waits_for():
    workers = Workers("w")
    gate = threading.Event()
    call = asyncio.ensure_future(workers.call(gate.wait))  # noqa: TID251  cancelled below
    await asyncio.sleep(0)
    call.cancel()
    gate.set()
    assert await workers.call(lambda: 1) == 1
    workers.close()


def test_it_works_while_the_interpreter_ends():
    text = """
import asyncio, atexit
from solveyard.workers import Workers
workers = Workers("w")
atexit.register(lambda: print(asyncio.run(workers.call(lambda: "worked"))))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"worked\n"
