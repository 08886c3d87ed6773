"""Wire antennas by the NEC2 method of moments: a deck of cards, or a dipole; S11 as Touchstone.

`programs/nec2.py` does the work, on `nec2c` or PyNEC; its exit codes are judged here.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, field_validator, model_validator

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.model.resources import Allocation
from solveyard.solvers import lines, options, touchstone, verdicts
from solveyard.solvers.base import PYTHON, Command, Exit, Probe, Progress, Query, Reader
from solveyard.solvers.lines import Lines
from solveyard.solvers.options import InsidePath, Options, Text
from solveyard.solvers.touchstone import Network

#: Exit codes of `programs/nec2.py` and the causes that they stand for.
CAUSES = {2: "nec.card", 3: "nec.engine", 4: "nec.engine", 5: "result.invalid", 6: "nec.geometry"}
PASSIVE = 1.0001  #: |S11| above this: more comes back than went in
DECK_LIMIT = 1 << 20  #: characters
_NEEDED = {"GE": "the geometry's end", "EX": "a source", "FR": "frequencies", "EN": "the end"}


class Dipole(Options):
    """A straight wire on the z axis, fed in the middle."""

    length: float = Field(gt=0, le=1e6)  #: m, from tip to tip
    radius: float = Field(gt=0)  #: m, of the wire
    segments: int = Field(ge=3, le=9999)  #: odd, so that one is in the middle

    @model_validator(mode="after")
    def _is_a_thin_wire(self) -> "Dipole":
        if self.segments % 2 == 0:
            raise ValueError(f"expected an odd number of segments, so that one is in the middle: "
                             f"{self.segments + 1} instead of {self.segments}")  # fmt: skip
        if self.length / self.segments <= 2 * self.radius:
            raise ValueError("expected segments longer than the wire is thick, as NEC2's thin "
                             "wires must be: take fewer segments or a smaller radius")  # fmt: skip
        return self


class Frequencies(Options):
    """Equally spaced, both ends included."""

    start: float = Field(gt=0, le=1e15)  #: Hz
    stop: float = Field(gt=0, le=1e15)  #: Hz
    points: int = Field(ge=1, le=100_000)

    @model_validator(mode="after")
    def _ascend(self) -> "Frequencies":
        if (self.points == 1) != (self.stop == self.start) or self.stop < self.start:
            raise ValueError("expected `stop` above `start`, or one point with both equal")
        return self


class NecOptions(Options):
    deck: Text | None = Field(
        default=None, max_length=DECK_LIMIT, description="NEC2 cards, one a line, GW to EN"
    )
    dipole: Dipole | None = Field(
        default=None,
        description='a wire fed in the middle: {"length": 0.5, "radius": 0.001, "segments": 21}, '
        "in m",
    )
    frequencies: Frequencies | None = Field(
        default=None,
        description='Hz, with `dipole`: {"start": 2e8, "stop": 4e8, "points": 101}',
    )
    z0: float = Field(default=50.0, gt=0, le=1e9, description="the reference impedance in ohm")
    engine: Literal["auto", "nec2c", "pynec"] = Field(
        default="auto", description='"auto" (nec2c where it is found, else PyNEC), or one of both'
    )
    result: InsidePath = Field(
        default="result.s1p", description="the Touchstone file to write, such as 'result.s1p'"
    )

    @field_validator("deck")
    @classmethod
    def _is_complete(cls, deck: str | None) -> str | None:
        labels = {line[:2].upper() for line in lines.of_text(deck or "")}
        missing = [f"{card} ({what})" for card, what in _NEEDED.items() if card not in labels]
        if deck is not None and missing:
            raise ValueError("expected a card " + ", ".join(missing))
        return deck

    @field_validator("result")
    @classmethod
    def _is_one_port(cls, result: str) -> str:
        if touchstone.ports_of(result) != 1:
            raise ValueError("expected a name that ends in .s1p")
        return result

    @model_validator(mode="after")
    def _says_what_to_solve(self) -> "NecOptions":
        if (self.deck is None) == (self.dipole is None):
            raise ValueError("expected either `deck` or `dipole`, not both and not neither")
        if (self.dipole is None) != (self.frequencies is None):
            raise ValueError("expected `frequencies` with `dipole`, and only then (a deck has FR)")
        return self

    def cards(self) -> str:
        """The deck to solve."""
        if self.dipole is None or self.frequencies is None:
            return self.deck or ""
        return dipole_deck(self.dipole, self.frequencies)


class NecReader:
    """Reads the runner's lines, e.g. "frequency 37 of 101"."""

    def __init__(self) -> None:
        self._lines = Lines()

    def feed(self, chunk: bytes) -> Progress | None:
        progress = None
        for line in self._lines.feed(chunk):
            progress = _progress(line) or progress
        return progress


class NecSolver:
    name = "nec"

    def command(self, spec: JobSpec, allocation: Allocation | None = None) -> Command:
        chosen = options.read(NecOptions, spec)
        deck = chosen.result[: -len("s1p")] + "nec"
        runner = (PYTHON, "-P", "-m", "solveyard.programs.nec2")
        wishes = ("--result", chosen.result, "--z0", repr(chosen.z0), "--engine", chosen.engine)
        return Command(
            argv=(*runner, "--deck", deck, *wishes),
            directory=options.directory(spec),
            files={deck: chosen.cards()},
            outputs=(chosen.result,),
            own_folder=True,
        )

    def watch(self, spec: JobSpec) -> str:
        return ""

    def reader(self) -> Reader | None:
        return NecReader()

    def evidence(self, spec: JobSpec) -> Sequence[Query]:
        chosen = _accepted(spec)
        if chosen is None:
            return ()
        complaint = Query(path=f"{chosen.result}.error", limit=4096)
        return [*verdicts.result_queries([chosen.result]), complaint]

    def verdict(self, spec: JobSpec, exit: Exit, evidence: Mapping[str, bytes | None]) -> Outcome:  # noqa: A002  # the contract's name
        chosen = _accepted(spec)
        expected = (chosen.result,) if chosen else ()
        outcome = verdicts.judge(spec, exit, expected)
        if chosen is None:
            return outcome
        if outcome.reason is Reason.EXIT_CODE:
            return _complaint(outcome, evidence.get(f"{chosen.result}.error"))
        if outcome.reason is Reason.SUCCESS:
            outcome = verdicts.judge_results(outcome, exit, evidence, expected)
        content = evidence.get(chosen.result)
        if outcome.reason is not Reason.SUCCESS or content is None:
            return outcome
        return _physical(outcome, chosen, touchstone.parse(content.decode(), 1))

    def probes(self) -> Sequence[Probe]:
        return (Probe(programs=("nec2c",)),)


def dipole_deck(dipole: Dipole, frequencies: Frequencies) -> str:
    """NEC2 cards for `dipole` in free space, 1 V across its middle segment."""
    half, middle = dipole.length / 2, (dipole.segments + 1) // 2
    step = (frequencies.stop - frequencies.start) / max(frequencies.points - 1, 1)
    return "\n".join(
        [
            f"CM dipole, {dipole.length:g} m long, wire radius {dipole.radius:g} m",
            "CE",
            f"GW 1 {dipole.segments} 0 0 {-half:.12g} 0 0 {half:.12g} {dipole.radius:.12g}",
            "GE 0",
            f"EX 0 1 {middle} 0 1 0",
            f"FR 0 {frequencies.points} 0 0 {frequencies.start / 1e6:.12g} {step / 1e6:.12g}",
            "PT -1",  # the currents on all segments aren't printed
            "XQ 0",
            "EN",
            "",
        ]
    )


def _accepted(spec: JobSpec) -> NecOptions | None:
    try:
        return options.read(NecOptions, spec)
    except InvalidJob:  # accepted by another version; its end must still be judged
        return None


def _progress(line: bytes) -> Progress | None:
    words = line.split()
    if len(words) != 4 or words[0] != b"frequency" or words[2] != b"of":
        return None
    if not all(word.isdigit() and len(word) < 10 for word in words[1::2]):
        return None
    done, total = int(words[1]), int(words[3])
    if not 0 <= done <= total or total == 0:
        return None
    return Progress(fraction=done / total, text=f"frequency {done} of {total}")


def _complaint(outcome: Outcome, said: bytes | None) -> Outcome:
    """`outcome`, with the runner's own words for its exit code."""
    cause = CAUSES.get(outcome.exit_code or 0, "")
    words = " ".join((said or b"").decode("utf-8", "replace").split()) if cause else ""
    if cause == "result.invalid":
        return verdicts.criterion(outcome, cause, words or "a value of the result is not finite")
    return Outcome(
        reason=outcome.reason,
        cause=cause,
        exit_code=outcome.exit_code,
        message=words or outcome.message,
        evidence=outcome.evidence,
    )


def _physical(outcome: Outcome, chosen: NecOptions, network: Network) -> Outcome:
    """`outcome`, unless frequencies are missing or the antenna gives out more than it gets."""
    asked, found = chosen.frequencies, network.frequencies
    if asked is not None and not (
        len(found) == asked.points
        and abs(found[0] - asked.start) <= 1e-6 * asked.start
        and abs(found[-1] - asked.stop) <= 1e-6 * asked.stop
    ):
        message = (
            f"{chosen.result}: {len(found)} frequencies from {found[0]:g} to {found[-1]:g} Hz; "
            f"{asked.points} from {asked.start:g} to {asked.stop:g} Hz were asked"
        )
        return verdicts.criterion(outcome, "result.invalid", message)
    for frequency, ((s11,),) in zip(found, network.s, strict=True):
        if abs(s11) > PASSIVE:
            message = (
                f"{chosen.result}: |S11| is {abs(s11):.4g} at {frequency / 1e6:g} MHz, but no "
                "passive antenna reflects more than 1 (check the segments against NEC2's rules)"
            )
            return verdicts.criterion(outcome, "nec.nonphysical", message)
    return outcome
