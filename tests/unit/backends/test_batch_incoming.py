"""What a job left there comes whole, or it is told what didn't, and where that is."""

import errno
import hashlib
import os
import sys
from pathlib import Path

import pytest

from solveyard.backends.batch import incoming
from solveyard.backends.batch.incoming import Incoming, Results
from solveyard.backends.batch.mirror import Mirror, Pair
from solveyard.backends.hosts.remote import Remote
from solveyard.model.jobs import AttemptId
from unit.backends.near import Near

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no POSIX shell")

SOME_FIND = """\
case $PWD in
*/one) echo "find: './sub': Input/output error" >&2
  shift; /usr/bin/find . -path ./sub -prune -o "$@"; exit 1 ;;
esac
exec /usr/bin/find "$@"
"""


@pytest.fixture
def near(tmp_path: Path) -> Near:
    return Near(tmp_path)


async def bring(near: Near, *names: str) -> dict[str, list[str]]:
    """Into folders beside those there; returns what couldn't come, by name."""
    remote: Remote = (await near.layout()).remote
    several = []
    for name in names:
        here = near.there.parent / name
        here.mkdir(exist_ok=True)
        several.append(Results(AttemptId(name), [], Pair(f"{near.there}/jobs/{name}", here), {}))
    left, gone, _ = await Incoming(remote, Mirror(remote)).bring(several)
    assert not any(gone.values())
    return {str(attempt): troubles for attempt, troubles in left.items()}


def made(near: Near, name: str) -> Path:
    folder = near.there / "jobs" / name
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_text("1")
    (folder / "sub" / "b").write_text("2")
    return folder


async def test_of_a_folder_that_is_not_listed_whole_it_is_told_and_the_rest_comes(
    near: Near,
) -> None:
    folder, _ = made(near, "one"), made(near, "two")
    near.program("find", SOME_FIND)
    told = await bring(near, "one", "two")
    assert told == {
        "one": [
            "perhaps not all its results came: find: './sub': Input/output error"
            f" (they are in login:{folder})"
        ],
        "two": [],
    }
    here = near.there.parent
    assert sorted(one.name for one in (here / "one").rglob("*")) == ["a"]
    assert sorted(one.name for one in (here / "two").rglob("*")) == ["a", "b", "sub"]


async def test_of_a_folder_that_can_not_be_entered_it_is_told(near: Near) -> None:
    made(near, "two")
    (near.there / "jobs" / "one").touch()
    told = await bring(near, "one", "two")
    (trouble,) = told.pop("one")
    assert trouble.startswith("perhaps not all its results came: ")
    assert "can't cd to" in trouble or "No such file" in trouble
    assert trouble.endswith(f" (they are in login:{near.there}/jobs/one)")
    assert told == {"two": []}


async def test_what_goes_while_it_is_looked_at_is_no_trouble(near: Near) -> None:
    folder = made(near, "one")
    seen = folder.parent / "seen"
    near.program("find", f'/usr/bin/find "$@"; [ -e {seen} ] || {{ touch {seen}; exit 1; }}')
    assert await bring(near, "one") == {"one": []}
    assert (near.there.parent / "one" / "sub" / "b").read_text() == "2"


@pytest.mark.parametrize("name", ["試作\u3000二号", "essai\u00a03", "نمی\u200cشود"])
async def test_names_of_any_script_come(near: Near, name: str) -> None:
    (made(near, "one") / name).write_text("3")
    assert await bring(near, "one") == {"one": []}
    assert (near.there.parent / "one" / name).read_text() == "3"


async def test_names_that_are_no_text_or_have_a_line_end_are_told(near: Near) -> None:
    folder = made(near, "one")
    (folder / "a\n.txt").write_text("3")
    (folder / os.fsdecode(b"\xfc.txt")).write_text("4")
    first, second = (await bring(near, "one"))["one"]
    assert first.startswith("perhaps not all its results came: a name has a line end (they are in")
    assert "could not come: its name isn't plain (it is" in second
    assert (first + second).encode()


async def test_links_that_stay_in_their_folder_come_as_links(near: Near) -> None:
    folder = made(near, "one")
    (folder / "sub" / "deep").mkdir()
    (folder / "sub" / "deep" / "c").write_text("3")
    for path, target in {
        "latest": "sub/deep", "sub/up": "../a", "named": f"{folder}/sub/b", "dangling": "nothing",
    }.items():  # fmt: skip
        (folder / path).symlink_to(target)
    assert await bring(near, "one") == {"one": []}
    here = near.there.parent / "one"
    assert (here / "latest" / "c").read_text() == "3"
    assert (here / "sub" / "up").read_text() == "1"
    assert str((here / "named").readlink()) == "sub/b"
    assert (here / "dangling").is_symlink()
    assert await bring(near, "one") == {"one": []}


async def test_links_that_lead_out_are_told_and_not_made(near: Near) -> None:
    folder, attempt = made(near, "one"), AttemptId("one")
    secret = near.there.parent / "secret"
    secret.write_text("mine")
    (folder / "self").symlink_to(".")
    (folder / "sub" / "out").symlink_to("../../secret")
    (folder / "round").symlink_to("self/self/../../secret")
    (folder / "etc").symlink_to("/etc/passwd")
    here = near.there.parent / "one"
    here.mkdir()
    remote = (await near.layout()).remote
    results = Results(attempt, [], Pair(str(folder), here), {})
    left, gone, _ = await Incoming(remote, Mirror(remote)).bring([results])
    assert left == {attempt: []}
    (told,) = gone[attempt]
    assert told == (
        "links that may lead out of its folder did not come: 'etc' to '/etc/passwd', 'round' to"
        " 'self/self/../../secret', 'sub/out' to '../../secret'"
    )
    assert [one for one in here.rglob("*") if one.is_symlink()] == [here / "self"]
    assert (here / "self").resolve() == here.resolve()


async def test_nothing_is_written_through_a_link_that_came(near: Near) -> None:
    """A second attempt may have a folder and a file where the first left links."""
    folder = made(near, "one")
    (folder / "latest").symlink_to("sub")
    (folder / "top").symlink_to("a")
    assert await bring(near, "one") == {"one": []}
    for name in ("latest", "top"):
        (folder / name).unlink()
    (folder / "latest").mkdir()
    (folder / "latest" / "b").write_text("of the second")
    (folder / "top").write_text("of the second")
    (told,) = (await bring(near, "one"))["one"]
    assert told.startswith(
        "the result 'latest/b' could not come: a link leads it to another folder"
    )
    here = near.there.parent / "one"
    assert (here / "sub" / "b").read_text() == "2"
    assert (here / "a").read_text() == "1"
    assert (here / "top").read_text() == "of the second"


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("kind", ["link", "pipe"])
async def test_what_others_put_in_the_way_of_a_result_is_replaced(
    near: Near, size: int, kind: str
) -> None:
    content = b"3" * size
    (made(near, "one") / "c").write_bytes(content)
    here, secret = near.there.parent / "one", near.there.parent / "secret"
    here.mkdir()
    secret.write_text("mine")
    digest = hashlib.sha256(content).hexdigest()
    for name in ("c", f".{digest}.part"):
        if kind == "link":
            (here / name).symlink_to(secret)
        else:
            os.mkfifo(here / name)
    assert await bring(near, "one") == {"one": []}
    assert (here / "c").read_bytes() == content
    assert secret.read_text() == "mine"
    assert sorted(one.name for one in here.iterdir()) == ["a", "c", "sub"]


@pytest.mark.parametrize("name", ["r\\s.txt", "波" * 80, "é" * 120 + ".txt", "x" * 255])
@pytest.mark.parametrize("size", [1, 100_000])
async def test_a_result_comes_whatever_it_is_called(near: Near, name: str, size: int) -> None:
    (made(near, "one") / name).write_bytes(b"3" * size)
    before = os.umask(0o022)
    try:
        assert await bring(near, "one") == {"one": []}
    finally:
        os.umask(before)
    found = near.there.parent / "one" / name
    assert found.read_bytes() == b"3" * size
    assert found.stat().st_mode & 0o777 == 0o644


async def test_a_folder_that_was_moved_away_is_made_anew(near: Near) -> None:
    folder = made(near, "one")
    (folder / "link").symlink_to("a")
    assert await bring(near, "one") == {"one": []}
    here = near.there.parent / "one"
    here.rename(near.there.parent / "moved")
    remote = (await near.layout()).remote
    several = [Results(AttemptId("one"), [], Pair(str(folder), here), {})]
    left, _, _ = await Incoming(remote, Mirror(remote)).bring(several)
    assert left == {AttemptId("one"): []}
    assert sorted(one.name for one in here.rglob("*")) == ["a", "b", "link", "sub"]


async def test_what_finds_no_room_here_takes_none_from_the_others(
    near: Near, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made(near, "one") / "a").write_bytes(b"3" * 100_000)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(incoming, "_append", full)
    (told,) = (await bring(near, "one"))["one"]
    assert told.startswith("the result 'a' could not come: No space left on device")
    here = near.there.parent / "one"
    assert sorted(one.name for one in here.rglob("*")) == ["b", "sub"]


async def test_into_a_bound_folder_that_leads_elsewhere_by_now_nothing_comes(near: Near) -> None:
    folder = made(near, "one")
    (folder / "link").symlink_to("a")
    here = near.there.parent / "one"
    here.symlink_to(near.there.parent / "elsewhere")
    (near.there.parent / "elsewhere").mkdir()
    pair = Pair(str(folder), here, within=(str(near.there.resolve()),))
    remote = (await near.layout()).remote
    several = [Results(AttemptId("one"), [], pair, {})]
    left, _, _ = await Incoming(remote, Mirror(remote)).bring(several)
    told = left[AttemptId("one")]
    assert len(told) == 3
    assert all("it leads out of the folders in which it may run" in one for one in told)
    assert not [*(near.there.parent / "elsewhere").iterdir()]


@pytest.mark.parametrize("kind", ["link", "pipe"])
async def test_a_log_in_a_jobs_folder_is_not_written_through_what_others_put_there(
    near: Near, kind: str
) -> None:
    mirror, (pair,) = await mirrored(near, "one")
    root, secret = near.there.parent / "work", near.there.parent / "secret"
    root.mkdir()
    secret.write_text("mine")
    place = root / "log"
    if kind == "link":
        place.symlink_to(secret)
    else:
        os.mkfifo(place)
    pair = pair._replace(here=place, root=root)
    came = await mirror.catch_up([pair])
    assert list(came.failed) == [place]
    assert secret.read_text() == "mine"
    place.unlink()
    assert await mirror.catch_up([pair]) == (True, {})
    assert place.read_text() == Path(pair.there).read_text()


async def test_a_log_in_a_folder_that_is_not_here_yet_is_followed(near: Near) -> None:
    mirror, (pair,) = await mirrored(near, "one")
    place = near.there.parent / "work" / "board.aedt.batchinfo" / "board.log"
    for within in ((), (str(near.there.parent.resolve()),)):
        pair = pair._replace(here=place, root=near.there.parent / "work", within=within)
        assert await mirror.catch_up([pair]) == (True, {})
        assert place.read_text() == Path(pair.there).read_text()
        place.unlink()
        place.parent.rmdir()


async def mirrored(near: Near, *names: str) -> tuple[Mirror, list[Pair]]:
    """Files beside jobs', each with a line that is here, too."""
    remote = (await near.layout()).remote
    pairs = [Pair(f"{near.there}/jobs/{name}", near.there.parent / name) for name in names]
    for pair in pairs:
        Path(pair.there).write_text("first\n")
    mirror = Mirror(remote)
    assert (await mirror.catch_up(pairs)) == (True, {})
    return mirror, pairs


async def test_what_is_here_of_an_output_stays_while_there_is_nothing_to_be_seen(
    near: Near,
) -> None:
    mirror, pairs = await mirrored(near, "gone", "old", "stale")
    gone, old, stale = pairs
    Path(gone.there).unlink()
    near.program("stat", 'case $* in *stale*) echo "stat: Stale file handle" >&2; exit 1 ;; esac')
    came = await mirror.catch_up([gone, old._replace(since=2e12), stale], whole=True)
    assert not came.anything
    assert [pair.here.read_text() for pair in pairs] == ["first\n"] * 3
    (near.programs / "stat").unlink()
    came = await mirror.catch_up([gone, old._replace(since=2e12), stale], whole=True)
    assert came == (False, {})
    assert [pair.here.read_text() for pair in pairs] == ["first\n"] * 3


async def test_an_output_that_can_not_be_looked_at_is_told_and_no_other(near: Near) -> None:
    mirror, (_, stale) = await mirrored(near, "whole", "stale")
    absent = Pair(f"{near.there}/jobs/absent", near.there.parent / "absent")
    for words in (f"cannot statx '{stale.there}': Stale file handle", "Stale file handle"):
        near.program(
            "stat",
            f'for one do shift; case $one in {stale.there}) echo "stat: {words}" >&2 ;;'
            ' *) set -- "$@" "$one" ;; esac; done; [ $# -gt 3 ] && /usr/bin/stat "$@"',
        )
        pairs = [Pair(f"{near.there}/jobs/whole", near.there.parent / "whole"), stale, absent]
        assert await mirror.catch_up(pairs, whole=True) == (
            False,
            {stale.here: f"stat: {words}"},
        )


@pytest.mark.parametrize("name", ["juergen", "jürgen", "jürgen's", "a b\\c$(d)"])
async def test_others_outputs_are_known_to_be_absent_whatever_their_folder_is_called(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    near = Near(folder)
    mirror, pairs = await mirrored(near, "whole")
    (near.there / "jobs" / "loop").symlink_to("loop")
    pairs += [
        Pair(f"{near.there}/jobs/{one}", folder / one) for one in ("2", "loop/1", "whole/3", "4")
    ]
    came = await mirror.catch_up(pairs)
    assert list(came.failed) == [folder / "loop/1"]
    assert came.failed[folder / "loop/1"].endswith(": Too many levels of symbolic links")
    near.asked.clear()
    del pairs[2]
    assert await mirror.catch_up(pairs) == (False, {})
    assert len(near.asked) == 1, "where nothing is in doubt, nothing is asked twice"


async def test_an_output_that_was_begun_anew_is_begun_anew_here(near: Near) -> None:
    mirror, (pair,) = await mirrored(near, "anew")
    Path(pair.there).write_text("new\n")
    assert await mirror.catch_up([pair]) == (True, {})
    assert pair.here.read_text() == "new\n"
