"""What a run leaves in `.aedtresults`: Touchstone, convergence and profile."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from standin.antenna import engine
from standin.batchlog import date

SAYS = "STAND-IN (not Ansys software)"


class Pass(NamedTuple):
    """One adaptive pass."""

    number: int
    segments: int
    delta: float | None
    seconds: float
    memory: float  #: KiB


def touchstone(place: Path, frequencies: Sequence[float], s11: Sequence[complex]) -> None:
    lines = [f"! {SAYS}: solved by {engine()}", "# HZ S RI R 50"]
    lines += [
        f"{frequency:.12g} {value.real!r} {value.imag!r}"
        for frequency, value in zip(frequencies, s11, strict=True)
    ]
    place.write_text("\n".join(lines) + "\n")


def convergence(place: Path, passes: Sequence[Pass], most: int, target: float) -> None:
    rule = "=" * 20
    last = passes[-1].delta
    lines = [
        f"{SAYS}", rule, "Number of Passes", f"Completed : {len(passes)}", f"Maximum   : {most}",
        "Minimum   : 1", rule, "Criterion : Max Mag. Delta S", f"Target    : {target:g}",
        f"Current   : {_delta(last)}", rule, "Pass|Solved Elements|Max Mag. Delta S|",
    ]  # fmt: skip
    lines += [f"{one.number:4}|{one.segments:15}|{_delta(one.delta):16}|" for one in passes]
    place.write_text("\n".join(lines) + "\n")


def profile(place: Path, passes: Sequence[Pass], cores: int) -> None:
    """Groups in groups, as the product's `.profile` files have them."""
    lines = [
        "$begin 'Profile'", *_group("Solution Process", f"'Product', '{SAYS}'"),
        *_group("Adaptive Meshing", f"'Time', '{date()}'"),
    ]  # fmt: skip
    for one in passes:
        seconds = int(one.seconds)
        lines += [
            *_group(f"Adaptive Pass {one.number}", ""),
            f"ProfileItem('Matrix Solve', {seconds}, 0, {seconds}, 0, {int(one.memory)},"
            f" 'I(3, 1, \\'Type\\', \\'{engine()}\\', 2, \\'Cores\\', {cores}, false,"
            f" 2, \\'Matrix size\\', {one.segments}, false)', true, true)",
            "$end 'ProfileGroup'",
        ]
    lines += ["$end 'ProfileGroup'", "$end 'ProfileGroup'", "$end 'Profile'"]
    depth = 0
    text = ""
    for line in lines:
        depth -= line.startswith("$end")
        text += "\t" * depth + line + "\n"
        depth += line.startswith("$begin")
    place.write_text(text)


def _group(name: str, told: str) -> list[str]:
    start = f"I(1, {told})" if told else "I(0, ' ')"
    return [
        "$begin 'ProfileGroup'", "MajorVer=2025", "MinorVer=2", f"Name='{name}'",
        "$begin 'StartInfo'", start, "$end 'StartInfo'",
    ]  # fmt: skip


def _delta(delta: float | None) -> str:
    return "N/A" if delta is None else f"{delta:.5g}"
