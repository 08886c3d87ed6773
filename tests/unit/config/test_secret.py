"""A secret is read from a variable or from a file that is private."""

import os
from pathlib import Path

import pytest

from solveyard.model.errors import InvalidSettings
from solveyard.secret import Secret


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "licence"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    return path


def test_it_is_read_without_its_line_end(file):
    assert Secret(file=str(file)).read() == "hunter2"
    assert Secret(env="X").read({"X": "hunter2"}) == "hunter2"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_file_that_others_may_use_is_refused_with_its_mode_and_the_way_out(file, mode):
    file.chmod(mode)
    with pytest.raises(InvalidSettings) as caught:
        Secret(file=str(file)).read()
    assert f"{mode:04o}" in str(caught.value)
    assert f"chmod 600 {file}" in str(caught.value)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(file):
    os.chown(file, 4242, 4242)
    with pytest.raises(InvalidSettings, match="account 4242"):
        Secret(file=str(file)).read()


@pytest.mark.parametrize("content", [b"", b"\n", b"hunter2\0", b"hunter2\xff", b"hunter2" * 10_000])
def test_what_no_variable_can_hold_is_refused_and_not_repeated(file, content):
    file.write_bytes(content)
    with pytest.raises(InvalidSettings) as caught:
        Secret(file=str(file)).read()
    assert "hunter2" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none", tmp_path / "a\0b"):
        with pytest.raises(InvalidSettings):
            Secret(file=str(path)).read()
    with pytest.raises(InvalidSettings, match="UNSET is not set"):
        Secret(env="UNSET").read({})


def test_bytes_that_are_no_text_are_refused_and_not_shown(file):
    for secret in (Secret(env="X"), Secret(file=str(file))):
        file.write_bytes(b"caf\xe9")
        with pytest.raises(InvalidSettings, match="is not UTF-8 text") as caught:
            secret.read({"X": os.fsdecode(b"caf\xe9")})
        assert "caf" not in str(caught.value)
        assert caught.value.__cause__ is None
