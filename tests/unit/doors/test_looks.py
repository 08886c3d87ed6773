"""Looks at the machine: what a glance tells is what a whole look tells, or nothing."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from solveyard import pauses, surroundings
from solveyard.doors import looks
from solveyard.doors.looks import Looks
from solveyard.surroundings import Glance, Here, Seen, Unseen


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(surroundings, "on_network", lambda folder: False)
    monkeypatch.setattr(looks, "_MOMENT", 1e9)
    monkeypatch.setattr(pauses, "QUICK", 1e9)
    folder = tmp_path / "projects"
    folder.mkdir()
    (folder / "there").touch(mode=0o700)
    (folder / "link").symlink_to(tmp_path)
    return folder


def noted(folder: Path) -> Seen:
    """What a whole look leaves behind."""
    seen, here = Seen(), Here()
    here.resolve(str(folder / "there"))
    here.inside(str(folder / "there"), [folder])
    here.open_to_others(str(folder / "there"))
    here.of_another(str(folder / "there"))
    here.note(seen)
    return seen


def test_a_glance_tells_what_a_look_tells(folder: Path) -> None:
    glance, here = Glance(noted(folder)), Here()
    for name in ("there", "missing"):
        path = str(folder / name)
        assert glance.resolve(path) == here.resolve(path)
        assert glance.exists(path) is here.exists(path) is (name == "there")
        assert glance.inside(path, [folder]) is here.inside(path, [folder]) is True
    assert glance.read_only(str(folder)) is False
    assert glance.open_to_others(str(folder / "there")) == ""
    assert glance.of_another(str(folder / "there")) == ""


def test_a_folder_that_is_reached_through_a_link_is_resolved_by_a_glance_too(folder: Path) -> None:
    outer = folder.parent / "outer"
    outer.symlink_to(folder)
    seen, here = Seen(), Here()
    here.resolve(str(outer / "there"))
    here.inside(str(outer / "there"), [folder])
    here.note(seen)
    glance = Glance(seen)
    assert glance.resolve(str(outer / "there")) == str(folder / "there")
    assert glance.inside(str(outer / "there"), [folder])


@pytest.mark.parametrize(
    "ask",
    [
        lambda glance, folder: glance.resolve(f"{folder}/link"),
        lambda glance, folder: glance.exists(f"{folder}/link"),
        lambda glance, folder: glance.exists(f"{folder}/link/x"),
        lambda glance, folder: glance.inside(f"{folder}/link", [folder]),
        lambda glance, folder: glance.inside(f"{folder}/there", [folder.parent]),
        lambda glance, folder: glance.resolve(f"{folder}/.."),
        lambda glance, folder: glance.resolve(f"{folder}/there/"),
        lambda glance, folder: glance.exists(f"{folder}/a\0b"),
        lambda glance, folder: glance.read_only(f"{folder}/there"),
        lambda glance, folder: glance.open_to_others(f"{folder}/other"),
        lambda glance, folder: glance.of_another(f"{folder}/other"),
        lambda glance, folder: glance.listing(str(folder)),
    ],
)
def test_a_glance_follows_no_link_and_looks_nowhere_else(
    folder: Path, ask: Callable[[Glance, Path], object]
) -> None:
    with pytest.raises(Unseen):
        ask(Glance(noted(folder)), folder)


def test_a_program_that_others_may_write_is_looked_at_again(folder: Path) -> None:
    (folder / "there").chmod(0o722)
    seen = noted(folder)
    with pytest.raises(Unseen):
        Glance(seen).open_to_others(str(folder / "there"))


async def asked(folder: Path, times: int, *, short: bool = True) -> list[bool]:
    """Of each of so many looks: was it the loop's own?"""
    all_looks, loop, found = Looks(), threading.get_ident(), []

    def step(here: Here) -> bool:
        assert here.resolve(str(folder / "there")) == str(folder / "there")
        return threading.get_ident() == loop

    for _ in range(times):
        found.append(await all_looks.look(step, (), (), short=short))
    return found


async def test_the_loop_looks_by_itself_once_the_folder_was_seen_twice(folder: Path) -> None:
    assert await asked(folder, 4) == [False, False, True, True]


async def test_the_loop_never_looks_at_a_network_file_system(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "on_network", lambda folder: True)
    assert await asked(folder, 4) == [False] * 4


async def test_many_jobs_are_looked_at_in_a_thread(folder: Path) -> None:
    assert await asked(folder, 4, short=False) == [False] * 4


async def test_what_was_seen_is_forgotten_after_a_moment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "_MOMENT", -1.0)
    assert await asked(folder, 4) == [False] * 4


async def test_a_slow_disk_is_left_to_threads(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "QUICK", -1.0)
    monkeypatch.setattr(pauses, "REST", 1e9)
    assert await asked(folder, 4) == [False, False, True, False]


async def test_a_refusal_is_the_same_by_a_glance(folder: Path) -> None:
    all_looks = Looks()

    def step(here: Here) -> None:
        here.resolve(str(folder / "there"))
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await all_looks.look(step, (), (), short=True)
