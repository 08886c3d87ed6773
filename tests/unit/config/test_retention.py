"""The table [retention]: amounts as people write them, and what goes together."""

from pathlib import Path

import pytest

from solveyard import config
from solveyard.config import Places, serving
from solveyard.core.retention import Policy
from solveyard.model.errors import InvalidSettings


def found(folder: Path, text: str, **environment: str) -> config.Found:
    file = folder / "config.toml"
    file.write_text(f"[retention]\n{text}\n")
    file.chmod(0o600)
    return config.load(Places(None, file, None), environment)


def policy(folder: Path, text: str, **environment: str) -> Policy:
    return serving.embedded(found(folder, text, **environment), on_stop="leave").retention


def test_nothing_is_removed_by_default(tmp_path: Path) -> None:
    assert policy(tmp_path, "") == Policy()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ('"90"', 90.0), ('"12h"', 43200.0), ('"30d"', 2592000.0)]
)
def test_an_age_is_seconds_or_says_its_unit(tmp_path: Path, text: str, seconds: float) -> None:
    told = policy(tmp_path, f"max_age = {text}\nmax_age_failed = {text}")
    assert told == Policy(max_age=seconds, max_age_failed=seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2", 2 << 30),
        ("0.5", 1 << 29),
        ('"2"', 2 << 30),
        ('"500M"', 500 << 20),
        ('"1TiB"', 1 << 40),
    ],
)
def test_a_size_is_gib_or_says_its_unit(tmp_path: Path, text: str, size: int) -> None:
    told = policy(tmp_path, f"max_size = {text}\nfiles = true\nkeep_jobs = 3")
    assert told == Policy(max_size=size, files=True, keep_jobs=3)


def test_the_environment_says_the_same(tmp_path: Path) -> None:
    told = policy(
        tmp_path,
        "",
        SOLVEYARD_RETENTION__MAX_SIZE="10G",
        SOLVEYARD_RETENTION__MAX_AGE="1d",
        SOLVEYARD_RETENTION__FILES="true",
    )
    assert told == Policy(max_size=10 << 30, max_age=86400.0, files=True)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('max_age = "soon"', "expected a duration"),
        ("max_age = -1", "max_age"),
        ("max_age = true", "max_age"),
        ('max_size = "10 apples"', "expected a size"),
        ("max_size = -1", "expected a size"),
        ("keep_jobs = -1", "keep_jobs"),
        ("max_size = 5", "it takes `files = true`"),
    ],
)
def test_what_is_no_amount_is_told_with_its_line(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(InvalidSettings, match=r"config\.toml:2") as caught:
        policy(tmp_path, text)
    assert part in str(caught.value)
