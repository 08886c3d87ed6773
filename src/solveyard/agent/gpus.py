"""The NVIDIA GPUs of a machine, by the numbers that nvidia-smi gives them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import List, Mapping

PATIENCE = 5.0  #: s for nvidia-smi, which wakes a sleeping driver
_LISTED = re.compile(r"^GPU (\d+): ", re.MULTILINE)
_DEVICE = re.compile(r"nvidia\d+")


def found(environment: Mapping[str, str] = os.environ, devices: str = "/dev") -> List[int]:
    """Those that `nvidia-smi -L` lists; without it as many as there are devices.

    Of these, those that CUDA_VISIBLE_DEVICES names, where it names numbers.
    """
    numbers = _listed(environment)
    if numbers is None:
        numbers = list(range(_devices(devices)))
    allowed = environment.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return numbers
    words = [word.strip() for word in allowed.split(",") if word.strip()]
    if all(word.isdigit() for word in words):
        return [number for number in numbers if str(number) in words]
    return numbers


def _listed(environment: Mapping[str, str]) -> "List[int] | None":
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if program is None:
        return None
    try:
        told = subprocess.run(
            [program, "-L"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if told.returncode != 0:  # no driver, or one that doesn't answer
        return None
    return sorted(
        {int(number) for number in _LISTED.findall(told.stdout.decode("ascii", "replace"))}
    )


def _devices(folder: str) -> int:
    try:
        return sum(1 for name in os.listdir(folder) if _DEVICE.fullmatch(name))
    except OSError:
        return 0
