"""bhist -l: what became of jobs, also of those that bjobs doesn't show any more."""

import sys
import time
from pathlib import Path

from batchsystems.answering import unknown
from batchsystems.lsf import words
from batchsystems.lsf.asking import wrapped
from batchsystems.state import Job, opened


def bhist(folder: Path, arguments: list[str]) -> int:
    given, ids = words.options("bhist", arguments, {"-n"}, {"-l"})
    if ("-l", "") not in given:
        raise unknown("bhist", "other than -l")
    told = []
    with opened(folder) as system:
        for one in ids:
            found = words.find(system, one)
            if found is None:
                sys.stderr.write("No matching job found\n")
                continue
            told += [_history(found[0], index) for index in found[1]]
    print(f"{'-' * 78}\n".join(told), end="")
    return 0 if told else words.BAD


def _history(job: Job, index: str) -> str:
    part = job.parts[index]
    element = f"[{index}]" if index else ""
    lines = [
        f"Job <{job.number}{element}>, Job Name <{job.name}{element}>, User <{job.said['user']}>,"
        f" Project <default>, Command <{' '.join(job.argv)}>",
        f"{_date(job.submitted)}: Submitted from host <{words.HOST}>, to Queue <{job.queue}>,"
        f" CWD <{job.cwd}>;",
    ]
    if part.started:
        lines += [f"{_date(part.started)}: Dispatched to <{words.HOST}>;"]
    if part.by == "user":
        by = f"requested by user or administrator <{job.said['user']}>"
        lines.append(f"{_date(part.ended)}: Signal <KILL> {by};")
    if part.state == "over":
        code = words.exit_code(part)
        how = "Done successfully" if code == 0 and not part.by else f"Exited with exit code {code}"
        how = how if part.started else "Exited"
        lines.append(f"{_date(part.ended)}: {how}. The CPU time used is 0.0 seconds;")
        if part.by == "limit":
            reason = "TERM_RUNLIMIT: job killed after reaching LSF run time limit"
            lines.append(f"{_date(part.ended)}: Completed <exit>; {reason};")
    end = part.ended or time.time()
    pending, run = int((part.started or end) - job.submitted), int(end - (part.started or end))
    head = "  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL"
    row = "".join(f"{each:<9}" for each in (pending, 0, run, 0, 0, 0, pending + run))
    body = "\n".join(map(wrapped, lines))
    summary = f"Summary of time in seconds spent in various states by  {_date(end)}"
    return f"\n{body}\n\n{summary}\n{head}\n  {row}\n\n"


def _date(at: float) -> str:
    return time.strftime("%a %b %d %H:%M:%S", time.localtime(at))
