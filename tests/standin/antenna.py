"""The stand-in's physics: a centre-fed wire, solved by nec2c with a number of segments.

Where nec2c isn't installed a ladder of lumped sections is solved instead, which is a real
computation that converges with its sections, but no antenna.
"""

import math
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

LIGHT = 299_792_458.0  #: m/s
Z0 = 50.0  #: ohm


class Unsolved(Exception):
    """nec2c gave no impedance."""


def engine() -> str:
    return "nec2c" if shutil.which("nec2c") else "ladder"


def solve(model: dict[str, float], segments: int, frequency: float, folder: Path) -> dict[str, Any]:
    """S11 at `frequency` Hz, and what it cost. Raises Unsolved."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    if engine() == "nec2c":
        impedance = _nec2c(model, segments, frequency, folder)
    else:
        impedance = _ladder(model, segments, frequency)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    s11 = (impedance - Z0) / (impedance + Z0)
    return {
        "s11": [s11.real, s11.imag],
        "real": time.monotonic() - began,
        "cpu": used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime,
        "memory": used.ru_maxrss or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,  # KiB
    }


def refined(segments: int) -> int:
    """About 1.3 times as many; odd, since the middle one is fed."""
    more = math.ceil(segments * 1.3)
    return max(more + (more % 2 == 0), segments + 2)


def _nec2c(model: dict[str, float], segments: int, frequency: float, folder: Path) -> complex:
    half = model["length"] / 2
    deck, output = folder / "wire.nec", folder / "wire.out"
    deck.write_text(
        f"CM stand-in\nCE\nGW 1 {segments} 0 0 {-half} 0 0 {half} {model['radius']}\nGE 0\n"
        f"EX 0 1 {segments // 2 + 1} 0 1 0\nFR 0 1 0 0 {frequency / 1e6!r} 0\nXQ\nEN\n"
    )
    words = ["nec2c", "-i", deck.name, "-o", output.name]  # where they are: it takes no long paths
    while True:
        ended = subprocess.run(words, cwd=folder, capture_output=True, check=False)
        deaf = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        if ended.returncode != signal.SIGTERM or not deaf:
            break  # nec2c hears SIGTERM whatever it is started with: a deaf engine has it run again
    text = output.read_text(errors="replace") if output.exists() else ""
    for line in text.partition("ANTENNA INPUT PARAMETERS")[2].splitlines():
        words = line.split()
        if len(words) >= 11 and words[0] == "1":
            return complex(float(words[6]), float(words[7]))
    raise Unsolved(f"nec2c ended with {ended.returncode} and no impedance")


def _ladder(model: dict[str, float], sections: int, frequency: float) -> complex:
    """An open, lossy line of half the wire's length, in sections."""
    half = model["length"] / 2
    wave = 120 * (math.log(model["length"] / model["radius"]) - 1)
    step = half / sections
    series = (2j * math.pi * frequency * wave / LIGHT + 80 / half) * step
    shunt = 2j * math.pi * frequency / (wave * LIGHT) * step
    impedance = series / 2 + 1 / shunt
    for _ in range(sections - 1):
        impedance += series / 2
        impedance = series / 2 + 1 / (1 / impedance + shunt)
    return impedance
