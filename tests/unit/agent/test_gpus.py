"""GPUs by a program that speaks as nvidia-smi does, and by devices."""

import sys
from pathlib import Path

import pytest

from solveyard.agent import gpus

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")

LISTED = """echo 'GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)'
echo '  MIG 1g.5gb      Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)'
echo 'GPU 3: NVIDIA A100-SXM4-40GB (UUID: GPU-6e6ba0d6-d33d-2b2c-524d-9e3d8d2b8a78)'
"""


@pytest.fixture
def devices(tmp_path: Path) -> str:
    folder = tmp_path / "dev"
    folder.mkdir()
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (folder / name).touch()
    return str(folder)


def smi(folder: Path, script: str) -> dict[str, str]:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)
    return {"PATH": str(folder)}


def test_they_are_those_that_nvidia_smi_lists(tmp_path: Path, devices: str) -> None:
    assert gpus.found(smi(tmp_path, LISTED), devices) == [0, 3]


def test_without_nvidia_smi_or_its_driver_the_devices_are_counted(
    tmp_path: Path, devices: str
) -> None:
    assert gpus.found({"PATH": ""}, devices) == [0, 1]
    assert gpus.found(smi(tmp_path, "echo no driver; exit 9"), devices) == [0, 1]
    assert gpus.found({"PATH": ""}, str(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("visible", "left"), [("3", [3]), ("", []), ("0, 3", [0, 3]), ("GPU-5d5ba0d6", [0, 3])]
)
def test_only_those_that_the_agent_may_use_are_offered(
    tmp_path: Path, visible: str, left: list[int]
) -> None:
    environment = {**smi(tmp_path, LISTED), "CUDA_VISIBLE_DEVICES": visible}
    assert gpus.found(environment, str(tmp_path)) == left
