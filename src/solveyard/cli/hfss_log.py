"""hfss-log: what the batch log of a solve says, whoever ran it."""

import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from solveyard.cli import talk, units
from solveyard.cli.here import Json
from solveyard.model.errors import InvalidRequest
from solveyard.model.texts import plain
from solveyard.solvers.hfss.causes import CAUSES
from solveyard.solvers.hfss.progress import HfssProgress
from solveyard.solvers.hfss.reader import Ending, HfssReader
from solveyard.solvers.hfss.verdict import Summary, summary

LOOK_AGAIN = 0.5  #: s between two looks at a file that grows
CHUNK = 1 << 18  #: bytes
HEADER = ("PASS", "FREQUENCY", "TETRAHEDRA", "MATRIX SIZE", "MEMORY", "DELTA S")
#: What each verdict means, said of the log alone.
MEANINGS = {
    "success": "it ended, and says that it completed normally",
    "failed": "it has an error line, or ended without normal completion",
    "not_converged": "it ended, but did not converge",
    "unfinished": "its end is not there: it still runs, or it was cut",
}


def hfss_log(
    file: Annotated[Path, typer.Argument(help="A batch log of HFSS, HFSS 3D Layout or SIwave.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the batch run has ended.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Tell what a batch log says: how far the solve is, how it converges, why it failed.

    The log may be finished, failed, cut or growing; no manager is needed. With --follow and --json
    there is a line for each news.
    """
    _check(file)
    told, ending = HfssReader().seen()
    last = ""
    for told, ending in _readings(file, follow=follow):
        if as_json and follow:
            talk.answer_json(summary(told, ending))
        elif follow and (text := told.text) != last:
            talk.answer(plain(text))
            last = text
    if as_json:
        if not follow:
            talk.answer_json(summary(told, ending))
        return 0
    _tell(told, ending)
    return 0


def _check(file: Path) -> None:
    """Raises InvalidRequest where there is nothing to read."""
    try:
        found = file.stat()
        if stat.S_ISDIR(found.st_mode):
            logs = sorted(file.glob("*.log"), key=lambda log: log.stat().st_mtime)
            hint = f": name a log in it, such as {logs[-1]}" if logs else ""
            raise InvalidRequest(f"{file} is a folder{hint}")
        if not stat.S_ISREG(found.st_mode):
            raise InvalidRequest(f"{file} is no regular file")
        with file.open("rb"):
            pass
    except FileNotFoundError as error:
        raise InvalidRequest(
            f"there is no file {file} (ansysedt writes PROJECT.aedt.batchinfo/NAME-JOBID.log)"
        ) from error
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"cannot read {file}: {error}") from error


def _readings(file: Path, *, follow: bool) -> Iterator[tuple[HfssProgress, Ending]]:
    """What the log tells; with `follow` again with each news, until its end or an interrupt."""
    reader, offset = HfssReader(), 0
    before: Summary | None = None
    while True:
        if file.stat().st_size < offset:  # it was begun anew
            reader, offset = HfssReader(), 0
        with file.open("rb") as log:
            log.seek(offset)
            while piece := log.read(CHUNK):
                offset += len(piece)
                reader.feed(piece)
        told, ending = reader.seen()
        if (now := summary(told, ending)) != before:
            before = now
            yield told, ending
        if not follow or ending.stopped:
            return
        try:
            time.sleep(LOOK_AGAIN)
        except KeyboardInterrupt:  # enough was seen
            return


def _tell(told: HfssProgress, ending: Ending) -> None:
    seen = summary(told, ending)
    if told.passes:
        talk.answer_table(
            tuple(name if name != "DELTA S" else told.measure.upper() for name in HEADER),
            [
                (
                    str(one.number),
                    one.frequency,
                    _number(one.tetrahedra),
                    _number(one.matrix_size),
                    _memory(one.memory),
                    "" if one.delta is None else f"{one.delta:g}",
                )
                for one in told.passes
            ],
        )
        talk.answer("")
    facts = {
        "product": seen.product or "not told",
        "project": told.project or "",
        "phase": seen.phase or "nothing yet",
        "converged": _converged(told),
        "sweep": _sweep(told),
        "host": _host(told),
        "peak memory": _memory(told.peak_memory),
        "free disk": f"{told.free_disk:g} GiB when it started" if told.free_disk else "",
        "variation": _of(told.variation, told.variations),
        "elapsed": units.short(told.elapsed),
        "left": f"about {units.short(told.remaining)}" if told.remaining is not None else "",
        "warnings": str(told.warnings or ""),
        "errors": str(told.errors or ""),
        "verdict": f"{seen.verdict}: {MEANINGS[seen.verdict]}",
        "cause": seen.cause or "",
        "what to do": CAUSES[seen.cause].advice if seen.cause else "",
    }
    lines = [f"{name:<13}{plain(fact)}" for name, fact in facts.items() if fact]
    for index, one in enumerate(seen.evidence):
        lines.append(f"{'' if index else 'evidence':<13}{plain(one)}")
    talk.answer("\n".join(lines))


def _converged(told: HfssProgress) -> str:
    if told.converged is None:
        return ""
    return "yes" if told.converged else "no"


def _sweep(told: HfssProgress) -> str:
    if told.sweep_points_solved is None:
        return ""
    parts = [told.sweep or "", (told.sweep_kind or "").lower()]
    parts.append(f"{_of(told.sweep_points_solved, told.sweep_points)} points solved")
    if told.sweep_error is not None:
        parts.append(f"error {told.sweep_error:g} %")
    return ", ".join(part for part in parts if part)


def _host(told: HfssProgress) -> str:
    if told.host is None:
        return ""
    return told.host + (f", {told.cores} cores" if told.cores else "")


def _of(count: int | None, total: int | None) -> str:
    if count is None:
        return ""
    return f"{count} of {total}" if total is not None else str(count)


def _number(count: int | None) -> str:
    return "" if count is None else str(count)


def _memory(amount: float | None) -> str:
    return "" if amount is None else f"{round(amount)} MiB"
