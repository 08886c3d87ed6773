"""What is done beneath a folder stays there, whatever others put in its way meanwhile."""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from solveyard.wire import beneath
from solveyard.wire.beneath import Astray, Folder, Irregular

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it opens no folders")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With a secret beside it, and links that lead there and that don't."""
    root = tmp_path / "real" / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "b").write_text("b")
    (tmp_path / "secret").write_text("not yours")
    for link, target in {
        "out": tmp_path / "secret",
        "up": Path("../../secret"),
        "outside": tmp_path,
        "inner": Path("sub/b"),
        "within": root / "sub",
    }.items():
        (root / link).symlink_to(target)
    return root


@pytest.fixture
def folder(root: Path) -> Iterator[Folder]:
    with Folder(str(root)) as folder:
        yield folder


@pytest.fixture(params=[True, False])
def either(root: Path, request: pytest.FixtureRequest) -> Iterator[Folder]:
    """By open folders, or by paths as on Windows."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(beneath, "BY_FOLDERS", request.param)
        with Folder(str(root)) as folder:
            yield folder


def text(folder: Folder, path: str) -> str:
    with os.fdopen(folder.open(path)) as file:
        return file.read()


@pytest.mark.parametrize("path", ["sub/b", "inner", "within/b", "sub/../sub/b", "./sub/b"])
def test_links_are_followed_as_long_as_they_stay_in_the_folder(either: Folder, path: str) -> None:
    assert text(either, path) == "b"
    assert either.stat(path).st_size == 1


@pytest.mark.parametrize(
    "path", ["out", "up", "outside/secret", "../../secret", "/etc/passwd", "sub/../../../secret"]
)
def test_what_leads_out_is_neither_opened_nor_looked_at(either: Folder, path: str) -> None:
    with pytest.raises(Astray):
        either.open(path)
    with pytest.raises(Astray):
        either.stat(path)


def test_a_link_is_not_followed_to_where_it_leads_after_the_look(
    folder: Folder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    realpath = os.path.realpath

    def exchanged(path: str) -> str:
        found = realpath(path)
        if path.endswith("inner"):
            (root / "sub").rename(root / "moved")
            (root / "sub").symlink_to(root.parent.parent)
        return found

    monkeypatch.setattr(beneath.os.path, "realpath", exchanged)
    with pytest.raises(OSError, match="sub") as refused:
        folder.open("inner")
    assert refused.value.errno in {errno.ELOOP, errno.ENOTDIR}


def test_a_folder_stays_the_one_that_was_opened(folder: Folder, root: Path) -> None:
    root.rename(root.parent / "moved")
    root.symlink_to(root.parent.parent)
    assert text(folder, "sub/b") == "b"
    folder.put("sub/new", b"n")
    assert (root.parent / "moved" / "sub" / "new").read_text() == "n"
    with pytest.raises(FileNotFoundError):
        folder.open("secret")


def test_a_pipe_or_a_folder_is_refused_and_nobody_waits(either: Folder, root: Path) -> None:
    os.mkfifo(root / "pipe")
    for path in ("pipe", "sub", ".", ""):
        with pytest.raises(Irregular):
            either.open(path)
    with pytest.raises(OSError, match="pipe"):  # nobody reads it
        either.open("pipe", os.O_WRONLY)


@pytest.mark.parametrize("name", ["out", "pipe", "plain", "new", "deep/er/new", "試" * 85])
def test_a_file_is_put_in_the_place_of_what_has_its_name(
    either: Folder, root: Path, name: str
) -> None:
    os.mkfifo(root / "pipe")
    (root / "plain").write_text("longer than that")
    either.put(name, b"deck")
    assert (root / name).read_bytes() == b"deck"
    assert not (root / name).is_symlink()
    assert (root.parent.parent / "secret").read_text() == "not yours"
    assert not list(root.rglob("*.new"))


def test_nothing_is_put_where_a_link_leads_out(either: Folder, root: Path) -> None:
    for path in ("outside/x", "outside/sub/x"):
        with pytest.raises(Astray):
            either.put(path, b"x")
    assert sorted(one.name for one in root.parent.parent.iterdir()) == ["real", "secret"]
    either.put("within/x", b"x")
    assert (root / "sub" / "x").read_bytes() == b"x"


def test_a_folder_that_is_bound_lies_in_one_of_those_links_resolved(root: Path) -> None:
    here = os.path.realpath(root.parent)
    beside = str(root.parent.parent)
    (root.parent / "link").symlink_to(root)
    (root.parent / "away").symlink_to(root.parent.parent)
    for path in (root, root.parent, root.parent / "link", root / "within"):
        Folder(str(path), ("/nothing", here)).close()
    for place in (root.parent / "away", root.parent.parent, root / "outside"):
        with pytest.raises(Astray):
            Folder(str(place), (here,))
    with pytest.raises(Astray):
        Folder(f"{beside}/real-not", (here,))
    with pytest.raises(FileNotFoundError):
        Folder(f"{here}/nothing", (here,))


def test_a_bound_folder_that_is_exchanged_after_the_look_is_not_entered(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    realpath = os.path.realpath

    def exchanged(path: str) -> str:
        found = realpath(path)
        root.rename(root.parent / "moved")
        root.symlink_to(root.parent.parent)
        return found

    here = realpath(root.parent)
    monkeypatch.setattr(beneath.os.path, "realpath", exchanged)
    with pytest.raises(OSError, match="root"):
        Folder(str(root), (here,))


def test_what_is_in_a_folder_is_told_and_can_be_looked_at(folder: Folder) -> None:
    with folder.listed("within") as (entries, inside):
        names = [entry.name for entry in entries]
        sizes = [os.stat(name, dir_fd=inside).st_size for name in names]
    assert (names, sizes) == (["b"], [1])
    with pytest.raises(OSError, match="within"), folder.listed("within", strict=True):
        pass
    with pytest.raises(Astray), folder.listed("outside"):
        pass


def test_no_descriptor_is_left_open(root: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    for path in ("sub/b", "inner", "outside/secret", "sub", "nothing", "sub/b/c"):
        with Folder(str(root), (os.path.realpath(root.parent),)) as folder:
            try:
                os.close(folder.open(path))
            except OSError:
                continue
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.fixture(params=[True, False])
def store(root: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """In `root`, which is open but for it; by open folders, or by paths as on Windows."""
    (root / "store" / "jobs").mkdir(parents=True)
    (root / "store" / "jobs" / "result").write_text("another's")
    (root / "link").symlink_to("store/jobs")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(beneath, "BY_FOLDERS", request.param)
        yield root / "store"


@pytest.mark.parametrize("way", ["store", "store/jobs", "link"])
def test_a_folder_that_is_closed_is_neither_entered_nor_what_is_in_it(
    store: Path, root: Path, way: str
) -> None:
    within = [str(root), f"{beneath.CLOSED}{store}"]
    with pytest.raises(Astray, match="leads into the manager's own store"):
        Folder(str(root / way), within)
    for bounds in (within, within[1:]):
        with Folder(str(root), bounds) as folder:
            for step in (
                lambda folder: folder.put(f"{way}/result", b"mine"),
                lambda folder: folder.put(f"{way}/new/result", b"mine"),
                lambda folder: folder.open(f"{way}/result"),
                lambda folder: folder.stat(f"{way}/jobs/result"),
                lambda folder: folder.unlink(f"{way}/result"),
                lambda folder: folder.enter(way),
            ):
                with pytest.raises(Astray):
                    step(folder)
            folder.put("sub/result", b"mine")
    assert (store / "jobs" / "result").read_text() == "another's"
    assert [one.name for one in store.iterdir()] == ["jobs"]


def test_a_closed_folder_is_known_by_any_name(folder: Folder, root: Path) -> None:
    """Such as a mount gives it, or one in other letters."""
    (root / "store").mkdir()
    within = [str(root), f"{beneath.CLOSED}{root / 'store'}"]
    with Folder(str(root), within) as folder:
        (root / "store").rename(root / "renamed")
        with pytest.raises(Astray):
            folder.put("renamed/x", b"mine")
