"""Solve a NEC2 deck and write S11 as Touchstone: `python -m solveyard.programs.nec2 --deck FILE`.

Prints "engine: ..." and "frequency N of M" lines. Where it fails it says why on standard error
and, in one line, in `<result>.error`. Exit codes:
0 solved; 2 a card can't be used; 3 no engine; 4 the engine failed; 5 a value is not finite;
6 the geometry can't be solved.
"""

import argparse
import cmath
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from solveyard.programs import nec_deck, nec_engines
from solveyard.wire.beneath import CLOSED, Folder


class NotFinite(Exception):
    """The engine's answer holds a value that is not finite."""


EXIT_CODES: dict[type[Exception], int] = {
    nec_deck.BadCard: 2,
    nec_engines.NoEngine: 3,
    nec_engines.EngineFailed: 4,
    NotFinite: 5,
    nec_deck.BadGeometry: 6,
}


def main(argv: Sequence[str] | None = None) -> int:
    asked = _arguments(argv)
    try:
        deck, result = _entered(asked.deck, asked.result)
    except OSError as error:
        sys.stderr.write(f"nec2: {asked.result} can't be written: {error}\n")
        return EXIT_CODES[nec_engines.EngineFailed]
    complaint = result.with_name(result.name + ".error")
    for old in (result, complaint):
        old.unlink(missing_ok=True)
    try:
        solve(deck, result, asked.z0, asked.engine)
    except tuple(EXIT_CODES) as error:
        sys.stderr.write(f"nec2: {error}\n")
        _replace(complaint, f"{error}\n")
        return EXIT_CODES[type(error)]
    return 0


def solve(path: Path, result: Path, z0: float, engine_name: str) -> None:
    """Write `result`, whole or not at all. Raises one of EXIT_CODES."""
    try:
        deck = nec_deck.read(path.read_text("latin-1"))
    except OSError as error:
        raise nec_deck.BadCard(f"the deck can't be read: {error}") from error
    engine = nec_engines.choose(engine_name)
    say(f"engine: {engine.name}")
    total = len(deck.frequencies)
    found = engine.impedances(path, deck, lambda done: say(f"frequency {done} of {total}"))
    if len(found) != total:
        raise nec_engines.EngineFailed(f"{len(found)} of {total} frequencies were solved")
    _replace(result, one_port(deck.frequencies, found, z0))
    say(f"result: {result}")


def one_port(frequencies: Sequence[float], impedances: Sequence[complex], z0: float) -> str:
    """Touchstone 1.1 text: S11 = (Z - z0) / (Z + z0). Raises NotFinite."""
    lines = [f"# Hz S RI R {z0!r}"]
    for frequency, impedance in zip(frequencies, impedances, strict=True):
        if not cmath.isfinite(impedance) or impedance == -z0:
            raise NotFinite(f"the impedance at {frequency / 1e6:g} MHz is {impedance:g} ohm")
        s11 = (impedance - z0) / (impedance + z0)
        lines.append(f"{frequency:.12g} {s11.real!r} {s11.imag!r}")
    return "\n".join(lines) + "\n"


def say(line: str) -> None:
    print(line, flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m solveyard.programs.nec2")
    parser.add_argument("--deck", type=Path, required=True, help="NEC2 cards")
    parser.add_argument("--result", type=Path, required=True, help="the .s1p file to write")
    parser.add_argument("--z0", type=float, default=50.0, help="reference impedance in ohm")
    parser.add_argument("--engine", choices=("auto", "nec2c", "pynec"), default="auto")
    return parser.parse_args(argv)


def _entered(deck: Path, result: Path) -> tuple[Path, Path]:
    """Both by their names in their folder, which is entered: nobody can exchange it meanwhile.

    What is below the current folder must lead nowhere else. Raises OSError.
    """
    folder = result.parent
    if folder.is_absolute() or deck.parent != folder:  # whoever calls us by hand
        return deck, result
    within = json.loads(os.environ.get("SOLVEYARD_WITHIN", "[]"))
    with Folder(".", [one for one in within if one.startswith(CLOSED)]) as here:
        here.enter("" if folder == Path() else folder.as_posix())
    return Path(deck.name), Path(result.name)


def _replace(path: Path, text: str) -> None:
    """Whole or not at all, and never through a link that others put there."""
    with Folder(str(path.parent)) as folder:
        folder.put(path.name, text.encode())


if __name__ == "__main__":
    sys.exit(main())
