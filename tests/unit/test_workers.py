import asyncio
import subprocess
import sys
import threading

import pytest

from solveyard.workers import Pool, Workers, run


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


async def test_what_was_posted_is_told_in_the_loop_in_its_order():
    workers, told = Workers("w"), []
    everything = asyncio.Event()

    def done(number: int) -> None:
        told.append((number, threading.current_thread() is threading.main_thread()))
        if number == 99:
            everything.set()

    for i in range(100):
        workers.post(lambda i=i: i, done)
    await asyncio.wait_for(everything.wait(), 30)
    assert told == [(i, True) for i in range(100)]
    workers.close()


async def test_the_loop_is_woken_once_for_all_that_is_over():
    workers, told, wakings = Workers("w"), [], []
    loop = asyncio.get_running_loop()
    wake = loop.call_soon_threadsafe
    loop.call_soon_threadsafe = lambda *call: (wakings.append(1), wake(*call))[1]
    for i in range(50):
        workers.post(lambda i=i: i, told.append)
    workers.close()  # the loop doesn't run meanwhile
    await asyncio.sleep(0)
    assert told == list(range(50))
    assert len(wakings) == 1


def test_it_works_while_the_interpreter_ends():
    text = """
import asyncio, atexit
from solveyard.workers import Pool, Workers
workers = Workers("w")
atexit.register(lambda: print(asyncio.run(workers.call(lambda: "worked"))))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"worked\n"


async def _aside() -> list[object]:
    told: list[object] = [await asyncio.to_thread(lambda: threading.current_thread().name[:-1])]
    try:
        await asyncio.to_thread(int, "x")
    except ValueError as error:
        told.append(str(error))
    return told


def test_a_loop_runs_blocking_things_in_its_pool_and_ends_that() -> None:
    before = threading.active_count()
    told = run(_aside(), Pool("aside", 2))
    assert told == ["aside-", "invalid literal for int() with base 10: 'x'"]
    assert threading.active_count() == before


def test_the_end_of_a_loop_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    async def main() -> int:
        found = await asyncio.to_thread(lambda: 6 * 7)
        monkeypatch.setattr(threading.Thread, "start", refused)
        return found

    assert run(main(), Pool("aside", 1)) == 42


ENDING = """
import asyncio, atexit, threading
from solveyard.workers import Pool, run

async def drain():
    begun.set()
    while not over.is_set():
        await asyncio.sleep(0.01)
    print(await asyncio.to_thread(lambda: "drained"))

def end():
    over.set()
    thread.join()

begun, over = threading.Event(), threading.Event()
thread = threading.Thread(target=lambda: run(drain(), Pool("aside", 1)), daemon=True)
thread.start()
begun.wait()
atexit.register(end)
"""


def test_it_goes_on_while_the_interpreter_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("drained\n", "", 0)
