"""The program itself, beside its commands."""

import gc
import sys
from collections.abc import Iterator

import pytest

from solveyard.cli import main

PYTHONS_OWN = (700, 10, 10)


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    kept = gc.get_threshold()
    gc.set_threshold(*PYTHONS_OWN)
    yield
    gc.set_threshold(*kept)


def test_a_process_of_its_own_looks_for_garbage_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["solveyard", "--version"])
    assert main() == 0
    assert gc.get_threshold() > (10_000, 10, 10)


def test_who_calls_it_keeps_a_collector_as_it_was() -> None:
    assert main(["--version"]) == 0
    assert gc.get_threshold() == PYTHONS_OWN
