"""A machine over SSH, without a batch system: what is run there, written and read."""

import asyncio
import hashlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.sshd import Sshd, absent
from conftest import alive, until
from solveyard.backends.batch.incoming import Incoming, Results
from solveyard.backends.batch.mirror import Mirror, Pair
from solveyard.backends.batch.outgoing import Load, Outgoing
from solveyard.backends.dialects.base import Call
from solveyard.backends.hosts.base import Away
from solveyard.backends.hosts.login import Login
from solveyard.backends.hosts.remote import PIECE, Part, Remote, Step
from solveyard.backends.hosts.ssh import Failed, SshHost
from solveyard.model.errors import InvalidJob
from solveyard.model.ids import AttemptId


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if missing := absent():
        pytest.skip(f"OpenSSH is not installed: there is no {', '.join(missing)}")
    one = Sshd(tmp_path_factory.mktemp("sshd"), {})
    one.prepare()
    one.start()
    yield one
    one.cut()


def host_of(sshd: Sshd, limit: int = 1 << 20) -> SshHost:
    """Equal ones share their connection."""
    socket = str(sshd.folder / "socket")
    login = Login(cluster="hpc", host="login", socket=socket, config=str(sshd.config))
    return SshHost(login, dict(os.environ), limit)


@pytest.fixture
def host(sshd: Sshd) -> SshHost:
    return host_of(sshd)


@pytest.fixture
async def remote(sshd: Sshd, tmp_path: Path) -> Remote:
    """What is sent is kept in `tmp_path / "there"`."""
    one = Remote(host_of(sshd, 64 << 20), str(tmp_path / "there"), "store")
    await one.ready()
    return one


# Commands


async def test_a_command_is_heard_exactly_whatever_its_login_shell_says(host: SshHost) -> None:
    call = Call(("sh", "-c", "cat; echo $LC_ALL; echo two >&2; exit 3"), "one ")
    assert await host.run(call) == (3, "one C\n", "two\n")
    assert await host.run(Call(("printf", "no end of line"))) == (0, "no end of line", "")


@pytest.mark.parametrize("code", [0, 1, 123, 125, 126, 127, 254, 255])
async def test_every_exit_status_is_the_commands_own(host: SshHost, code: int) -> None:
    assert (await host.run(Call(("sh", "-c", f"exit {code}")))).code == code


async def test_arguments_arrive_as_they_were_whatever_a_shell_would_make_of_them(
    host: SshHost,
) -> None:
    words = ["two  words", "'", '"', "$HOME `id` $(id)", "a\nb", "*", "!!", "\\", "", "-n", "ü"]
    answer = await host.run(Call(("printf", "<%s>", *words)))
    assert answer.stdout == "".join(f"<{word}>" for word in words)


async def test_a_command_that_is_not_there_is_127(host: SshHost) -> None:
    answer = await host.run(Call(("no-such-program",)))
    assert answer.code == 127
    assert "'no-such-program': No such file" in answer.stderr


async def test_a_command_that_hangs_is_ended_there_too(host: SshHost, tmp_path: Path) -> None:
    script = f"echo $$ >{tmp_path}/pid; exec sleep 600"
    answer = await host.run(Call(("sh", "-c", script), timeout=1.0))
    assert answer.code is None
    assert answer.words == "login: sh had not ended after 1 s"
    pid = int((tmp_path / "pid").read_text())
    await asyncio.to_thread(until, lambda: not alive(pid), "it is gone there")


async def test_a_command_that_writes_too_much_is_not_believed(host: SshHost) -> None:
    answer = await host.run(Call(("yes",)))
    assert (answer.code, answer.stdout) == (None, "")
    assert "wrote more than 1048576 bytes" in answer.words


async def test_many_commands_at_once_share_one_connection(sshd: Sshd, host: SshHost) -> None:
    await host.run(Call(("true",)))
    before = sshd.logins
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(host.run(Call(("echo", str(i))))) for i in range(30)]
    assert [call.result().stdout for call in calls] == [f"{i}\n" for i in range(30)]
    assert sshd.logins == before


async def test_a_connection_that_was_killed_is_opened_again(sshd: Sshd, host: SshHost) -> None:
    await host.run(Call(("true",)))
    for pid in sshd.sessions():
        os.kill(pid, 9)
    first = await host.run(Call(("true",)))
    again = await host.run(Call(("echo", "again")))
    assert first.code in {None, 0}
    assert again == (0, "again\n", "")


async def test_a_master_that_died_and_left_its_socket_is_replaced(
    sshd: Sshd, host: SshHost
) -> None:
    await host.close()
    socket = Path(host.login.socket)
    await asyncio.to_thread(until, lambda: not socket.exists(), "the connection is closed")
    socket.touch()
    first = await host.run(Call(("true",)))
    assert first.code is None
    assert await host.run(Call(("echo", "again"))) == (0, "again\n", "")


async def test_a_connection_that_hangs_is_replaced(sshd: Sshd, tmp_path: Path) -> None:
    socket = str(tmp_path / "socket")
    host = SshHost(
        Login(cluster="hpc", host="login", socket=socket, config=str(sshd.config)),
        dict(os.environ),
    )
    await host.run(Call(("true",)))
    check = await asyncio.to_thread(
        subprocess.run, host.login.control("check"), capture_output=True, text=True, check=False
    )
    pid = int(re.findall(r"pid=(\d+)", check.stdout + check.stderr)[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        hung = await host.run(Call(("true",), timeout=0.5))
        assert (hung.code, "had not ended" in hung.words) == (None, True)
        assert await host.run(Call(("echo", "again"))) == (0, "again\n", "")
    finally:
        os.kill(pid, signal.SIGKILL)
        await host.close()


async def test_a_command_never_logs_in_by_itself(tmp_path: Path) -> None:
    login = Login(cluster="hpc", host="127.0.0.1", socket=str(tmp_path / "nothing"))
    done = await asyncio.to_thread(
        subprocess.run, login.command("true"), capture_output=True, check=False
    )
    assert done.returncode == 255
    assert b"127.0.0.1" not in done.stderr  # that is where it would have been refused


async def test_who_was_not_let_in_does_not_try_again_at_once(sshd: Sshd, tmp_path: Path) -> None:
    """Sites lock accounts that do."""
    login = Login(
        cluster="hpc",
        host="login",
        socket=str(tmp_path / "socket"),
        config=str(sshd.config),
        options={"PubkeyAuthentication": "no"},
    )
    host = SshHost(login, dict(os.environ))
    first = await host.run(Call(("true",)))
    assert "Permission denied" in first.words
    assert first.words.endswith("(run `solveyard cluster connect hpc`)")
    before = sshd.log.read_bytes()
    assert await host.run(Call(("true",))) == first
    assert sshd.log.read_bytes() == before
    allowed = Login(cluster="hpc", host="login", socket=login.socket, config=login.config)
    by_hand = await asyncio.to_thread(subprocess.run, allowed.open(person=True), check=False)
    assert by_hand.returncode == 0
    assert (await host.run(Call(("true",)))).code == 0
    await host.close()


async def test_a_host_whose_key_is_not_known_wants_a_person(sshd: Sshd, tmp_path: Path) -> None:
    login = Login(
        cluster="hpc",
        host="login",
        socket=str(tmp_path / "socket"),
        config=str(sshd.config),
        options={"UserKnownHostsFile": str(tmp_path / "nobody")},
    )
    answer = await SshHost(login, dict(os.environ)).run(Call(("true",)))
    assert "Host key verification failed" in answer.words
    assert answer.words.endswith("(run `solveyard cluster connect hpc`)")


# Files


async def test_what_is_put_there_is_there_as_it_was(remote: Remote, tmp_path: Path) -> None:
    names = ["plain", " with  blanks ", "-n", "quote'\"$x", "ü", "back\\slash", "bar|"]
    contents = [os.urandom(10 * index) for index, _ in enumerate(names)]
    folder = f"{remote.root}/jobs/a b"
    steps = [Step("folder", folder)]
    for name, content in zip(names, contents, strict=True):
        digest = hashlib.sha256(content).hexdigest()
        steps.append(Step("file", f"{folder}/{name}", digest, 0o700, content))
    await remote.put(steps)
    found = {one.name: one for one in Path(folder).iterdir()}
    assert set(found) == set(names)
    for name, content in zip(names, contents, strict=True):
        assert found[name].read_bytes() == content
        assert found[name].stat().st_mode & 0o777 == 0o700
    (walked,) = await remote.walk([folder])
    assert {path: one.size for path, one in walked.files.items()} == {
        name: len(content) for name, content in zip(names, contents, strict=True)
    }
    sums = await remote.checksums([f"{folder}/{name}" for name in names])
    assert sums[f"{folder}/plain"] == hashlib.sha256(contents[0]).hexdigest()
    read = await remote.read([Part(f"{folder}/{name}", 3, 7) for name in names[1:]])
    assert read == [content[3:10] for content in contents[1:]]


async def test_content_with_another_checksum_is_not_there_under_its_name(remote: Remote) -> None:
    place = f"{remote.root}/jobs/file"
    with pytest.raises(Failed, match="its checksum is wrong"):
        await remote.put([Step("file", place, "0" * 64, 0o600, b"content")])
    assert not Path(place).exists()


async def test_no_file_outside_a_folder_is_found_in_it(remote: Remote, tmp_path: Path) -> None:
    folder = tmp_path / "job"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").write_text("1")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "own").symlink_to("sub/file")
    for path in ("link", "../job/../secret", "sub/../../outside", "sub", "nothing"):
        assert await remote.inside(str(folder), path) is None
    for path in ("sub/file", "own", "sub/../sub/file"):
        found = await remote.inside(str(folder), path)
        assert found is not None
        assert found[0] == str(folder / "sub" / "file")


def large(place: Path, size: int) -> str:
    place.parent.mkdir(exist_ok=True)
    content = os.urandom(size)
    place.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


async def sent(remote: Remote, folder: Path, to: str, most: int = 1 << 30) -> Outgoing:
    outgoing, load = Outgoing(remote, most, "store"), Load()
    outgoing.add(load, folder, f"{remote.root}/jobs/{to}")
    await outgoing.send(load)
    return outgoing


async def test_an_input_goes_on_where_its_first_try_was_cut_off(
    remote: Remote, tmp_path: Path
) -> None:
    size = 2 * PIECE + 1000
    digest = large(tmp_path / "in" / "mesh", size)
    part = Path(f"{remote.content(digest)}.store.part")
    part.write_bytes((tmp_path / "in" / "mesh").read_bytes()[: PIECE + 10])
    inode = part.stat().st_ino
    before = remote.host.commands
    await sent(remote, tmp_path / "in", "one")
    kept = Path(remote.content(digest))
    assert kept.stat().st_ino == inode
    assert not part.exists()
    copy = Path(f"{remote.root}/jobs/one/mesh")
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == digest
    # is it there, is there room, is a part there, two pieces, their checksum, the copy
    assert remote.host.commands - before == 7


async def test_a_part_of_something_else_is_thrown_away(remote: Remote, tmp_path: Path) -> None:
    digest = large(tmp_path / "in" / "mesh", 100_000)
    Path(f"{remote.content(digest)}.store.part").write_bytes(b"something else")
    await sent(remote, tmp_path / "in", "one")
    copy = Path(f"{remote.root}/jobs/one/mesh")
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == digest


async def test_what_is_there_already_is_not_sent_again(remote: Remote, tmp_path: Path) -> None:
    digest = large(tmp_path / "in" / "mesh", 100_000)
    await sent(remote, tmp_path / "in", "one")
    before = remote.host.commands
    await sent(remote, tmp_path / "in", "two")
    assert remote.host.commands - before == 2  # it is there; copy it
    for job in ("one", "two"):
        copy = Path(f"{remote.root}/jobs/{job}/mesh")
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == digest
    Path(f"{remote.root}/jobs/one/mesh").write_bytes(b"changed by the job")
    assert hashlib.sha256(Path(remote.content(digest)).read_bytes()).hexdigest() == digest


async def test_small_files_of_several_jobs_go_once(remote: Remote, tmp_path: Path) -> None:
    for index in range(20):
        large(tmp_path / "in" / f"{index}", 1000 * index)
    outgoing, load = Outgoing(remote, 1 << 30, "store"), Load()
    for job in ("one", "two", "three"):
        outgoing.add(load, tmp_path / "in", f"{remote.root}/jobs/{job}", shared=True)
    assert sum(len(step.content) for step in load.steps) == 0
    before = remote.host.commands
    await outgoing.send(load)
    assert remote.host.commands - before == 3  # are they there, there they are, copy them
    for job in ("one", "two", "three"):
        for index in range(20):
            sent = Path(f"{remote.root}/jobs/{job}/{index}")
            assert sent.read_bytes() == (tmp_path / "in" / f"{index}").read_bytes()


async def test_a_folder_that_is_too_much_is_refused_with_the_way_out(
    remote: Remote, tmp_path: Path
) -> None:
    large(tmp_path / "in" / "mesh", 1001)
    with pytest.raises(InvalidJob, match="is too much to send: 1001 bytes in 1 files"):
        await sent(remote, tmp_path / "in", "one", most=1000)


async def test_a_result_goes_on_where_its_first_try_was_cut_off(
    remote: Remote, tmp_path: Path
) -> None:
    there = tmp_path / "job"
    digest = large(there / "field.bin", 2 * PIECE + 1000)
    (there / "deck.in").write_text("as it was sent")
    (there / "changed.in").write_text("as the job made it")
    here = tmp_path / "here"
    here.mkdir()
    part = here / f".{digest}.part"
    part.write_bytes((there / "field.bin").read_bytes()[: PIECE + 10])
    inode = part.stat().st_ino
    (here / "deck.in").write_text("as somebody wrote it meanwhile")
    unchanged = hashlib.sha256(b"as it was sent").hexdigest()
    results = Results(
        AttemptId("a"), [], Pair(str(there), here), {"deck.in": unchanged, "changed.in": "0" * 64}
    )
    before = remote.host.commands
    troubles, *_ = await Incoming(remote, Mirror(remote)).bring([results])
    assert troubles == {"a": []}
    assert (here / "field.bin").stat().st_ino == inode
    assert hashlib.sha256((here / "field.bin").read_bytes()).hexdigest() == digest
    assert int((here / "field.bin").stat().st_mtime) == int((there / "field.bin").stat().st_mtime)
    assert (here / "deck.in").read_text() == "as somebody wrote it meanwhile"
    assert (here / "changed.in").read_text() == "as the job made it"
    # what is there, its checksums, two pieces of the one and all of the other
    assert remote.host.commands - before == 5


async def test_half_a_result_that_is_of_something_else_is_thrown_away(
    remote: Remote, tmp_path: Path
) -> None:
    digest = large(tmp_path / "job" / "field.bin", 1000)
    here = tmp_path / "here"
    here.mkdir()
    (here / f".{digest}.part").write_bytes(b"something else")
    results = Results(AttemptId("a"), [], Pair(str(tmp_path / "job"), here), {})
    assert await Incoming(remote, Mirror(remote)).bring([results]) == ({"a": []}, {"a": []}, {})
    assert [one.name for one in here.iterdir()] == ["field.bin"]
    assert hashlib.sha256((here / "field.bin").read_bytes()).hexdigest() == digest


async def test_a_result_that_a_link_would_lead_elsewhere_does_not_come(
    remote: Remote, tmp_path: Path
) -> None:
    (tmp_path / "job").mkdir()
    large(tmp_path / "job" / "out" / "field.bin", 10)
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    (here / "out").symlink_to(elsewhere)
    results = Results(AttemptId("a"), [], Pair(str(tmp_path / "job"), here), {})
    troubles, *_ = await Incoming(remote, Mirror(remote)).bring([results])
    (told,) = troubles[AttemptId("a")]
    assert told.startswith("the result 'out/field.bin' could not come: a link leads it out")
    assert told.endswith(f"(it is login:{tmp_path}/job/out/field.bin)")
    assert not list(elsewhere.iterdir())


async def test_a_growing_file_is_read_from_where_it_was(remote: Remote, tmp_path: Path) -> None:
    there, here = tmp_path / "log", tmp_path / "mirrored"
    mirror, pair = Mirror(remote), Pair(str(there), here)
    assert not (await mirror.catch_up([pair])).anything
    there.write_bytes(b"first\n")
    assert (await mirror.catch_up([pair])).anything
    with there.open("ab") as file:
        file.write(b"\xff\x00second\n")
    assert (await Mirror(remote).catch_up([pair])).anything  # another manager's
    assert here.read_bytes() == b"first\n\xff\x00second\n"
    assert not (await mirror.catch_up([pair])).anything
    there.write_bytes(b"anew\n")
    assert (await mirror.catch_up([pair])).anything
    assert here.read_bytes() == b"anew\n"


async def test_large_outputs_come_whole_in_several_commands(remote: Remote, tmp_path: Path) -> None:
    pairs = [Pair(str(tmp_path / f"{i}.out"), tmp_path / f"{i}.here") for i in range(6)]
    digests = [large(Path(pair.there), (1 << 21) + 7) for pair in pairs]
    assert (await Mirror(remote).catch_up(pairs, whole=True)).anything
    assert [hashlib.sha256(pair.here.read_bytes()).hexdigest() for pair in pairs] == digests


async def test_a_file_that_can_not_be_written_here_keeps_no_other_from_coming(
    remote: Remote, tmp_path: Path
) -> None:
    (tmp_path / "log").write_bytes(b"content")
    (tmp_path / "taken").mkdir()
    good = Pair(str(tmp_path / "log"), tmp_path / "below" / "good")
    bad = Pair(str(tmp_path / "log"), tmp_path / "taken")
    came = await Mirror(remote).catch_up([bad, good], whole=True)
    assert came.failed == {tmp_path / "taken": "Is a directory"}
    assert (tmp_path / "below" / "good").read_bytes() == b"content"


async def test_nothing_is_believed_while_nobody_listens(sshd: Sshd, remote: Remote) -> None:
    sshd.cut()
    try:
        with pytest.raises(Away):
            await remote.stat(["/etc/passwd"])
        with pytest.raises(Away, match=r"cannot reach login: .*Connection refused"):
            await remote.stat(["/etc/passwd"])
    finally:
        sshd.start()
    assert await remote.stat(["/etc/passwd"])
