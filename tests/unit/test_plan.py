"""What a job would run, as a script for people."""

import subprocess
import sys
from pathlib import Path

import pytest

from solveyard import plan
from solveyard.solvers.base import Command


@pytest.mark.skipif(sys.platform == "win32", reason="scripts are the shell's elsewhere")
def test_a_file_in_a_script_ends_where_it_ends_whatever_it_holds(tmp_path: Path) -> None:
    content = "CM\nEND_OF_FILE\ntouch pwned\nEND_OF_FILE_\nEN\n"
    made = Command(argv=("cat", "deck.nec"), directory=str(tmp_path), files={"deck.nec": content})
    text = plan.script(made, made.argv)
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == content
    assert not (tmp_path / "pwned").exists()
