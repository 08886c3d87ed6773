"""Touchstone 1.x files: the scattering parameters that every RF tool reads.

Source: Touchstone File Format Specification 1.1, EIA/IBIS Open Forum, 2002.
"""

import cmath
import math
import re
from collections.abc import Callable
from typing import NamedTuple

from solveyard.model.errors import InvalidResult
from solveyard.solvers import lines

Matrix = tuple[tuple[complex, ...], ...]

NAME = r"(?i)\.s(\d{1,3})p$"  #: what a Touchstone file's name ends with
_SUFFIX = re.compile(NAME)
_UNITS = {"HZ": 1.0, "KHZ": 1e3, "MHZ": 1e6, "GHZ": 1e9}
_OTHERS = ("Y", "Z", "G", "H")  #: parameters that a file may hold in place of S
_FORMS: dict[str, Callable[[float, float], complex]] = {
    "RI": complex,
    "MA": lambda size, angle: cmath.rect(size, math.radians(angle)),
    "DB": lambda size, angle: cmath.rect(10 ** (size / 20), math.radians(angle)),
}


class NotRead(InvalidResult):
    """It may be a good Touchstone file, but of a kind that isn't read here."""


class Network(NamedTuple):
    """Scattering parameters over frequency."""

    frequencies: tuple[float, ...]  #: Hz, ascending
    s: tuple[Matrix, ...]  #: at each frequency; rows are the ports that a wave leaves by
    resistance: float = 50.0  #: ohm, of every port


class _Options(NamedTuple):
    scale: float = 1e9  #: Hz
    form: str = "MA"
    resistance: float = 50.0  #: ohm


def ports_of(path: str) -> int | None:
    """How many ports the file has by its name, as in "filter.s2p"; None: not a Touchstone name."""
    match = _SUFFIX.search(path)
    return int(match[1]) or None if match else None


def parse(text: str, ports: int) -> Network:
    """Read a file of `ports` ports, noise parameters aside.

    Raises InvalidResult, with the line's number, when the text is not Touchstone, holds no
    frequency, or a value that is not finite; NotRead when it is Touchstone 2, or of other
    parameters than S.
    """
    options: _Options | None = None
    frequencies: list[float] = []
    matrices: list[Matrix] = []
    record: list[float] = []
    needed = 1 + 2 * ports * ports
    number = 0
    for number, line in enumerate(lines.of_text(text.removeprefix("\ufeff")), 1):
        words = line.partition("!")[0].split()
        if not words:
            continue
        if words[0].startswith("#"):
            options = options or _options(" ".join(words)[1:].upper().split(), number)
            continue
        if words[0].startswith("["):
            raise NotRead(
                f"line {number}: {words[0][:40]} is Touchstone 2; 1.x is read here (export that)"
            )
        if options is None:
            raise InvalidResult(
                f"line {number}: data before an option line such as '# MHz S RI R 50'"
            )
        values = [_finite(word, number) for word in words]
        if _noise_begins(ports, record, values, frequencies, options):
            break
        record += values
        if len(record) > needed:
            raise InvalidResult(
                f"line {number}: {len(record)} values at one frequency; {ports} ports have {needed}"
            )
        if len(record) == needed:
            frequency = record[0] * options.scale
            if not math.isfinite(frequency):
                raise InvalidResult(f"line {number}: frequency {record[0]:g} is too large")
            if frequency < 0 or (frequencies and frequency <= frequencies[-1]):
                raise InvalidResult(f"line {number}: frequency {record[0]:g} is not ascending")
            frequencies.append(frequency)
            matrices.append(_matrix(record, ports, options.form, number))
            record = []
    if record:
        raise InvalidResult(f"line {number}: the file ends after {len(record)} of {needed} values")
    if options is None or not frequencies:
        raise InvalidResult("there is no frequency in it")
    return Network(tuple(frequencies), tuple(matrices), options.resistance)


def check_end(text: str) -> int:
    """How many numbers are in the end of a file, whose first line may be cut.

    Raises InvalidResult where one of them isn't finite.
    """
    found = 0
    for number, line in enumerate(text.split("\n")[1:], 2):
        words = line.partition("!")[0].split()
        if not words or words[0].startswith(("#", "[")):
            continue
        found += len([_finite(word, number) for word in words])
    return found


def write(network: Network) -> str:
    """Touchstone 1.1 text in Hz, real and imaginary parts, without loss of digits."""
    lines = [f"# Hz S RI R {network.resistance!r}"]
    for frequency, matrix in zip(network.frequencies, network.s, strict=True):
        rows = [[f"{value.real!r} {value.imag!r}" for value in row] for row in _as_filed(matrix)]
        if len(matrix) <= 2:  # one line for each frequency
            rows = [[value for row in rows for value in row]]
        wrapped = [row[start : start + 4] for row in rows for start in range(0, len(row), 4)]
        lines.append(f"{frequency!r} " + "\n".join(" ".join(row) for row in wrapped))
    return "\n".join(lines) + "\n"


def _options(words: list[str], number: int) -> _Options:
    options = _Options()
    rest = iter(words)
    for word in rest:
        if word in _UNITS:
            options = options._replace(scale=_UNITS[word])
        elif word in _FORMS:
            options = options._replace(form=word)
        elif word == "R":
            options = options._replace(resistance=_finite(next(rest, "nothing"), number))
        elif word in _OTHERS:
            raise NotRead(f"line {number}: {word}-parameters; S are read here (export those)")
        elif word != "S":
            raise InvalidResult(f"line {number}: option {word[:40]!r} is not read here; S is")
    return options


def _finite(word: str, number: int) -> float:
    try:
        value = float(word) if word.isascii() and "_" not in word else None
    except ValueError:
        value = None
    if value is None:
        raise InvalidResult(f"line {number}: {word[:40]!r} is no number")
    if not math.isfinite(value):
        raise InvalidResult(f"line {number}: {word[:40]} is not finite")
    return value


def _noise_begins(
    ports: int,
    record: list[float],
    values: list[float],
    frequencies: list[float],
    options: _Options,
) -> bool:
    """Two-port noise: five values a line, its first frequency at or below the last one of S."""
    return (
        ports == 2
        and not record
        and len(values) == 5
        and bool(frequencies)
        and values[0] * options.scale <= frequencies[-1]
    )


def _matrix(record: list[float], ports: int, form: str, number: int) -> Matrix:
    pairs = zip(record[1::2], record[2::2], strict=True)
    try:
        values = [_FORMS[form](first, second) for first, second in pairs]
    except OverflowError:
        values = [complex(math.inf)]
    if not all(map(cmath.isfinite, values)):
        raise InvalidResult(f"line {number}: a value in dB is not finite")
    return _as_filed(tuple(tuple(values[i * ports : (i + 1) * ports]) for i in range(ports)))


def _as_filed(matrix: Matrix) -> Matrix:
    """Rows as in the file: a two-port's are S11 S21 S12 S22, against the rule for all others."""
    return tuple(zip(*matrix, strict=True)) if len(matrix) == 2 else matrix
