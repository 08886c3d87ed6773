"""A batch log in the form that ansysedt's have: headers, tagged lines, messages over lines."""

from datetime import datetime
from pathlib import Path
from typing import Any


class Log:
    """Lines of one run, each flushed; also on standard output where asked for."""

    def __init__(self, place: Path, project: Path, *, echo: bool, crlf: bool = False) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        self.file = place.open("a", encoding="utf-8", newline="\r\n" if crlf else "\n")
        self.project = project.stem
        self.design, self.setup = "stand-in", "Setup1"
        self.echo = echo

    def header(self, line: str) -> None:
        self.file.write(line + "\n")
        self.file.flush()
        if self.echo:
            print(line, flush=True)

    def twice(self, line: str) -> None:
        """The settings come bare, and again with a tag."""
        self.header(line)
        self.header(f"[info] {line}")

    def say(self, text: str, level: str = "info") -> None:
        """A message of the design's; may hold line ends."""
        self.header(f"[{level}] Project:{self.project}, Design:{self.design}, {text} ({clock()})")

    def profile(self, task: str, *parts: str) -> None:
        """What the setup's engines did."""
        self._setup("PROFILE", " : ".join((task, *parts)))

    def note(self, text: str) -> None:
        """A remark among the profile's lines, which is indented."""
        self._setup("PROFILE", f"       {text}")

    def converge(self, number: int, elements: int, delta: float | None) -> None:
        told = "N/A" if delta is None else f"{delta:.5g}"
        self._setup(
            "CONVERGE",
            f"Pass Number:  {number};  Solved Elements:  {elements};"
            f"  Max Mag. Delta S:  {told};  Delta Output Var:  N/A;  ",
        )

    def half(self) -> None:
        """The beginning of a line, cut off as by a kill."""
        self.file.write(f"[info] Project:{self.project}, {self.setup} : [PROFILE] Matrix As")
        self.file.flush()

    def _setup(self, kind: str, text: str) -> None:
        self.header(f"[info] Project:{self.project}, {self.setup} : [{kind}] {text} ({clock()})")


def clock() -> str:
    return now().strftime("%I:%M:%S %p  %b %d, %Y")


def date() -> str:
    return now().strftime("%m/%d/%Y %H:%M:%S")


def now() -> datetime:
    return datetime.now().astimezone()


def span(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def cost(answer: dict[str, Any], scale: float = 1.0) -> tuple[str, str, str]:
    """Real time, CPU time and memory, as a profile line has them."""
    return (
        f"Real Time {span(answer['real'])}",
        f"CPU Time {span(answer['cpu'])}",
        f"Memory {memory(answer['memory'] * scale)}",
    )


def memory(kib: float) -> str:
    """ "154 M" or "1.15 G", three digits."""
    mib = kib / 1024
    return f"{mib:.3g} M" if mib < 1000 else f"{mib / 1024:.3g} G"


def hertz(frequency: float) -> str:
    """ "3GHz", "100kHz", "1.505GHz"."""
    for factor, unit in ((1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz")):
        if frequency >= factor:
            return f"{frequency / factor:.12g}{unit}"
    return f"{frequency:.12g}Hz"
