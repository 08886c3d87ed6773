"""What a batch log says beside its progress, as PyEDB's page showed it."""

from pathlib import Path
from typing import Any

import msgspec

from solveyard.solvers.hfss.blocks import blocks
from solveyard.solvers.hfss.reader import read

GOLDEN = Path(__file__).parents[2] / "golden" / "hfss"


def shown(content: bytes) -> Any:
    return msgspec.to_builtins(blocks(*read(content), content))


def test_the_head_and_the_first_mesh_are_told() -> None:
    told = shown((GOLDEN / "written" / "converged.log").read_bytes())
    assert told["project"]["user"] == "mira"
    line = told["project"]["cmd_line"]
    assert line.startswith('"/opt/ansys_inc/v242/Linux64/ansysedt.exe -jobid')
    assert line.endswith('/data/rf/coupler.aedt"')
    # Mesh and Lambda Refine: 12 + 2 s, 20 + 2 s of CPU, 212 and 88.4 MiB
    assert told["init_mesh"] == {
        "tetrahedra": 9011, "memory_mb": 212.0, "real_time_sec": 14, "cpu_time_sec": 22,
    }  # fmt: skip
    assert told["log_parser"] == {"is_converged": True}


def test_what_a_log_that_ends_early_did_not_come_to_is_null() -> None:
    told = shown((GOLDEN / "licence.log").read_bytes())
    assert told["project"]["user"] == "engineer"
    assert set(told["init_mesh"].values()) == {None}
    assert told["log_parser"] == {"is_converged": False}


def test_no_log_tells_nothing() -> None:
    told = shown(b"")
    assert set(told["project"].values()) == set(told["init_mesh"].values()) == {None}
