"""An ansysedt that is looked for by the shell of the machine where the job runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from solveyard.solvers.hfss import searched

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it is for POSIX shells")


def install(folder: Path, name: str = "ansysedt") -> Path:
    """A program that says where it is and what it was given."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    place.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n')
    place.chmod(0o755)
    return folder


def run(*words: str, path: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """By the shell, with `path` before the system's."""
    environment["PATH"] = f"{path}:/usr/bin:/bin" if path else "/usr/bin:/bin"
    argv = searched.argv([searched.PROGRAM, *words])
    return subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def found(*words: str, path: str = "", **environment: str) -> list[str]:
    done = run(*words, path=path, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_newest_release_is_taken_and_its_arguments_arrive_whole(tmp_path: Path) -> None:
    old, new = install(tmp_path / "a b" / "v242" / "Linux64"), tmp_path / "it's" / "v251"
    install(new / "AnsysEM")
    roots = {"ANSYSEM_ROOT242": str(old), "AWP_ROOT251": str(new)}
    words = ["-ng", "", "two words", "'HFSS/x'='1'", "$HOME", "a\nb", "*"]
    told = found(*words, **roots)
    assert told == [f"{new}/AnsysEM/ansysedt", *"\n".join(words).split("\n")]
    assert found(ANSYSEM_ROOT242=str(old)) == [f"{old}/ansysedt"]
    both = {"AWP_ROOT251": str(tmp_path / "gone"), "ANSYSEM_ROOT251": str(new)}
    assert found(**both) == [f"{new}/AnsysEM/ansysedt"]


def test_within_a_release_the_variable_that_is_trusted_most_is_taken(tmp_path: Path) -> None:
    first, second = install(tmp_path / "x"), tmp_path / "z"
    install(second / "AnsysEM")
    roots = {"ANSYSEM_ROOT252": str(first), "AWP_ROOT252": str(second)}
    assert found(**roots) == [f"{first}/ansysedt"]


def test_a_folder_on_path_will_do_and_one_with_a_release_goes_first(tmp_path: Path) -> None:
    link, whole = install(tmp_path / "bin"), install(tmp_path / "v252" / "AnsysEM")
    assert found(path=str(link)) == [f"{link}/ansysedt"]
    assert found(path=f"{link}:{whole}") == [f"{whole}/ansysedt"]


def test_what_lies_beside_it_is_named_in_its_place(tmp_path: Path) -> None:
    root = install(tmp_path / "v252" / "AnsysEM")
    told = found(f"WRAPPER={searched.FOLDER}/utils/srun.sh", ANSYSEM_ROOT252=str(root))
    assert told[1:] == [f"WRAPPER={root}/utils/srun.sh"]


def test_where_there_is_none_it_says_so_and_what_to_do() -> None:
    done = run()
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (122, "", 1)
    assert done.stderr.startswith("no ansysedt was found on ")
    assert "give ansys_edt_path as it is there" in done.stderr
