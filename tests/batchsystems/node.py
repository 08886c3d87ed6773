"""What watches over one job on its node: runs its script, and keeps its limit."""

import contextlib
import functools
import importlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from batchsystems.scheduling import schedule
from batchsystems.state import opened

_NEWS = {signal.SIGCHLD, signal.SIGTERM}


def run(kind: str, folder: Path, number: int, index: str) -> None:
    """Until it is over. TERM is a wish that it end: it gets its system's signals, one by one."""
    running = importlib.import_module(f"batchsystems.{kind}.running")
    signal.pthread_sigmask(signal.SIG_BLOCK, _NEWS)
    with opened(folder) as system:  # whoever started this one has let go of the lock by now
        job, grace = system.jobs[number], system.grace
        env = job.env | running.environment(job, index)
        out, err = (running.path(one, job, index) if one else "" for one in (job.out, job.err))
        process = _script(job.argv, job.cwd, env, out, err)
        job.parts[index].group = 0 if process is None else process.pid
    code = 254  # the program was not found
    if process is not None:
        at_limit = functools.partial(_mark_limit, folder, number, index)
        code = _watch(process, job.limit, grace, running, at_limit)
    with opened(folder) as system:
        part, now = system.jobs[number].parts[index], time.time()
        part.state, part.ended, part.changed, part.group = "over", now, now, 0
        part.code, part.signal = (code, None) if code >= 0 else (None, -code)
        schedule(kind, folder, system)


def _watch(
    process: "subprocess.Popen[bytes]",
    limit: float | None,
    grace: float,
    running: ModuleType,
    at_limit: Callable[[], None],
) -> int:
    """How it ended; below 0 by a signal."""
    end = None if limit is None else time.monotonic() + limit
    left: list[int] | None = None  # the signals that it still gets, once it is being ended
    while process.poll() is None:
        wait = 3600.0 if end is None else max(0.0, end - time.monotonic())
        news = signal.sigtimedwait(_NEWS, wait)
        if news is None and end is None:
            continue
        if news is not None and (news.si_signo == signal.SIGCHLD or left is not None):
            continue
        if left is None and news is None:
            at_limit()
        if left is None:
            left = [*(running.STEPS if news else running.AT_LIMIT)]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, left.pop(0) if left else signal.SIGKILL)
        end = time.monotonic() + grace
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what it left behind
    return process.returncode


def _mark_limit(folder: Path, number: int, index: str) -> None:
    with opened(folder) as system:
        part = system.jobs[number].parts[index]
        part.by = part.by or "limit"


def _script(
    argv: Sequence[str], cwd: str, env: Mapping[str, str], out: str, err: str
) -> "subprocess.Popen[bytes] | None":
    with contextlib.ExitStack() as files:
        try:
            output = files.enter_context(Path(out).open("ab"))
            error = files.enter_context(Path(err).open("ab")) if err else subprocess.STDOUT
            return subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=error,
                start_new_session=True,
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, _NEWS),
            )  # fmt: skip
        except OSError:
            return None
