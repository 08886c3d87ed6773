"""The two engines that solve a NEC2 deck: the program nec2c, and the library PyNEC."""

import importlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from solveyard.programs.nec_deck import BadCard, BadGeometry, Card, Deck

Report = Callable[[int], None]  #: told how many frequencies are done


class NoEngine(Exception):
    """None is installed, or not the one that was asked."""


class EngineFailed(Exception):
    """The engine gave up, for no reason that the deck's cards explain."""


class Nec2c:
    """The Debian package nec2c: reads the deck, writes a listing, is silent.

    Card errors are in the listing alone (recorded with 1.3): exit code 255 and a sentence.
    """

    def __init__(self) -> None:
        found = shutil.which("nec2c")
        if found is None:
            raise NoEngine("nec2c is not on PATH (install it: apt install nec2c)")
        self._program = str(Path(found).absolute())  # it is started in another folder

    @property
    def name(self) -> str:
        answer = subprocess.run(
            [self._program, "-v"], capture_output=True, text=True, timeout=10, check=False
        )
        return f"{(answer.stdout + answer.stderr).strip() or 'nec2c'} ({self._program})"

    def impedances(self, path: Path, deck: Deck, report: Report) -> list[complex]:
        """Feed impedance in ohm at each of the deck's frequencies.

        nec2c takes names of up to some 75 characters, folders among them: it gets short ones.
        """
        with tempfile.TemporaryDirectory(prefix=".nec2c-", dir=path.parent) as folder:
            shutil.copyfile(path, Path(folder) / "deck.nec")
            listing = Path(folder) / "listing.out"
            with subprocess.Popen(
                [self._program, "-i", "deck.nec", "-o", listing.name],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            ) as process:
                try:
                    _, said = _follow(process, listing, report)
                finally:
                    process.kill()  # when we were interrupted; an ended one is past this
            text = listing.read_text("latin-1") if listing.exists() else ""
            plotted = Path(folder) / "deck.nec.plt"  # what a card PL asks for
            if plotted.exists():
                plotted.replace(path.with_name(f"{path.name}.plt"))
        if process.returncode != 0:
            raise _nec2c_failure(process.returncode, text, said.decode("latin-1"))
        found = list(read_listing(text))
        for (printed, _), asked in zip(found, deck.frequencies, strict=False):
            if abs(printed - asked) > 1e-3 * asked:  # five digits are printed
                raise EngineFailed(f"nec2c solved {printed:g} Hz where {asked:g} Hz was asked")
        report(len(found))
        return [impedance for _, impedance in found]


class PyNec:
    """PyNEC, GPL-3.0: it is imported here alone, in a program of its own."""

    def __init__(self) -> None:
        try:
            self._module: Any = importlib.import_module("PyNEC")  # it has no types
        except ImportError as error:
            raise NoEngine('PyNEC is not installed (pip install "solveyard[nec]")') from error

    @property
    def name(self) -> str:
        from importlib import metadata  # slow to import, and nec2c doesn't need it

        return f"PyNEC {metadata.version('PyNEC')}"

    def impedances(self, path: Path, deck: Deck, report: Report) -> list[complex]:
        """Feed impedance in ohm at each of the deck's frequencies."""
        context = self._module.nec_context()
        geometry = context.get_geometry()
        for card in deck.cards:
            _play(card, context, geometry)
        found = []
        for index, frequency in enumerate(deck.frequencies):
            try:
                context.fr_card(0, 1, frequency / 1e6, 0.0)
                context.xq_card(0)
                answer = context.get_input_parameters(index)
            except RuntimeError as error:
                raise EngineFailed(f"PyNEC at {frequency / 1e6:g} MHz: {error}") from error
            if answer is None:
                raise EngineFailed(f"PyNEC has no result at {frequency / 1e6:g} MHz")
            found.append(complex(answer.get_impedance()[0]))
            report(index + 1)
        return found


Engine = Nec2c | PyNec


def choose(name: str) -> Engine:
    """ "nec2c", "pynec", or "auto": the first of them that is there. Raises NoEngine."""
    if name == "nec2c":
        return Nec2c()
    if name == "pynec":
        return PyNec()
    try:
        return Nec2c()
    except NoEngine:
        try:
            return PyNec()
        except NoEngine as error:
            raise NoEngine(
                "no NEC2 engine: install nec2c (apt install nec2c) or PyNEC "
                '(pip install "solveyard[nec]")'
            ) from error


def read_listing(text: str) -> Iterator[tuple[float, complex]]:
    """Frequency in Hz (five digits) and impedance in ohm of each solution in nec2c's listing.

    After "ANTENNA INPUT PARAMETERS", two lines of heading, then
    "    1    11  1.0000E+00  0.0000E+00  3.2594E-03  7.4926E-03  4.8820E+01 -1.1223E+02 ...".
    """
    frequency = 0.0
    solved = text.partition("- STRUCTURE SPECIFICATION -")[2]  # before it: the deck's comments
    lines = iter(solved.split("\n"))
    for line in lines:
        if "FREQUENCY :" in line:
            frequency = float(line.split()[-2]) * 1e6
        elif "ANTENNA INPUT PARAMETERS" in line:
            row = [next(lines, "") for _ in range(3)][-1].split()
            try:
                yield frequency, complex(float(row[6]), float(row[7]))
            except (IndexError, ValueError) as error:
                raise EngineFailed(f"nec2c's listing has no impedance in {row}") from error


def _follow(
    process: "subprocess.Popen[bytes]", listing: Path, report: Report
) -> tuple[bytes | None, bytes]:
    """Wait for the end, and count solutions in the growing listing meanwhile."""
    done = offset = 0
    while True:
        try:
            return process.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            pass  # not yet: look how far it is
        if listing.exists():
            with listing.open("rb") as file:
                file.seek(offset)
                *complete, rest = file.read().split(b"\n")
                offset = file.tell() - len(rest)
            fresh = sum(b"ANTENNA INPUT PARAMETERS" in line for line in complete)
            if fresh:
                done += fresh
                report(done)


def _nec2c_failure(code: int, listing: str, said: str) -> Exception:
    lines = [" ".join(line.split()) for line in listing.split("\n") if line.strip()]
    cards = [index for index, line in enumerate(lines) if line.startswith("DATA CARD No:")]
    if code != 255:
        last = " ".join(said.split()) or f"exit code {code}"
        return EngineFailed(f"nec2c failed: {last}")
    if cards:
        near = " ".join(lines[cards[-1]].split()[3:9])
        words = " ".join(lines[cards[-1] + 1 :][-2:]) or " ".join(said.split())
        return BadCard(f"nec2c: {words} (at card {near})")
    if lines:
        return BadGeometry(f"nec2c: {' '.join(lines[-2:])}")
    return EngineFailed(f"nec2c failed: {' '.join(said.split()) or 'exit code 255'}")


def _play(card: Card, context: Any, geometry: Any) -> None:
    """Give one card to PyNEC; frequencies and execution are the caller's."""
    i, f = card.integers, card.floats
    plays: dict[str, Callable[[], object]] = {
        "GW": lambda: geometry.wire(*i, *f, 1.0, 1.0),
        "GS": lambda: geometry.scale(f[0]),
        "GX": lambda: geometry.gx_card(*i),
        "GE": lambda: context.geometry_complete(i[0]),
        "EX": lambda: context.ex_card(*i, *f),
        "LD": lambda: context.ld_card(*i, *f[:3]),
        "GN": lambda: context.gn_card(i[0], i[1], *f),
        "EK": lambda: context.set_extended_thin_wire_kernel(i[0] == 0),
        "FR": lambda: None,
        "PT": lambda: None,  # what is printed
        "XQ": lambda: None,
        "RP": lambda: None,  # a pattern isn't asked here
        "EN": lambda: None,
    }
    if card.label not in plays:
        raise BadCard(
            f"line {card.line}: card {card.label} is not played to PyNEC (install nec2c, which "
            "knows all cards)"
        )
    try:
        plays[card.label]()
    except RuntimeError as error:
        fault = BadGeometry if card.label.startswith("G") and card.label != "GN" else BadCard
        raise fault(f"line {card.line}: PyNEC refuses card {card.label}: {error}") from error
