"""Archives: what is damaged, protected or odd in them is told, and no link becomes a file."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from solveyard.programs import archives
from solveyard.programs.folders import Unusable

DAMAGED = "damaged or protected: archive it anew in AEDT"
PROJECT = b"a project, " * 300
LINK = 0o120777 << 16  #: a zip's attributes of one


def zipped(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as packed:
        packed.writestr("board.aedt", PROJECT)
    return stream.getvalue()


def tarred(kind: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{kind}") as packed:
        for name, content in (("board.aedt", PROJECT), ("noise", os.urandom(50_000))):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def altered(content: bytes, at: int, more: bytes) -> bytes:
    return content[:at] + more + content[at + len(more) :]


def refused(content: bytes, inside: Path) -> str:
    """Why, by whichever of the two comes first, as in a copy."""
    with pytest.raises(Unusable) as told:
        assert archives.size(io.BytesIO(content)) > 0
        archives.unpack(io.BytesIO(content), inside)
    return str(told.value)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_compressed_tar_that_is_cut_or_altered_is_refused(kind: str, tmp_path: Path) -> None:
    whole = tarred(kind)
    middle = len(whole) // 2
    cut = whole[:middle]
    bent = altered(whole, middle, bytes(byte ^ 0x5A for byte in whole[middle : middle + 40]))
    for number, content in enumerate((cut, bent)):
        assert "damaged" in refused(content, tmp_path / str(number))


def test_the_checksum_of_a_stream_is_looked_at(tmp_path: Path) -> None:
    whole = tarred("gz")
    assert "CRC" in refused(altered(whole, len(whole) - 8, b"\0\0\0\0"), tmp_path / "in")


def test_a_broken_header_is_no_end_of_a_tar(tmp_path: Path) -> None:
    whole = tarred("")
    second = whole.index(b"noise")
    assert DAMAGED in refused(altered(whole, second, b"NOISE"), tmp_path / "in")


def test_a_zip_that_is_altered_protected_or_packed_in_another_way_is_refused(
    tmp_path: Path,
) -> None:
    whole = zipped()
    entry = whole.index(b"PK\x01\x02")
    contents = {
        "altered": altered(whole, 45, b"\xff" * 15),
        "checksum": altered(zipped(zipfile.ZIP_STORED), 60, b"?"),
        "encrypted": altered(altered(whole, 6, b"\1"), entry + 8, b"\1"),
        "deflate64": altered(altered(whole, 8, b"\x09"), entry + 10, b"\x09"),
    }
    for name, content in contents.items():
        assert DAMAGED in refused(content, tmp_path / name), name


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", ""])
def test_a_whole_tar_is_unpacked(kind: str, tmp_path: Path) -> None:
    content = io.BytesIO(tarred(kind))
    assert archives.size(content) == len(PROJECT) + 50_000
    archives.unpack(content, tmp_path / "in")
    assert (tmp_path / "in" / "board.aedt").read_bytes() == PROJECT


def test_a_python_that_has_no_filters_says_what_a_tar_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(tarfile, "data_filter")
    assert "3.11.4 or newer" in refused(tarred("gz"), tmp_path / "in")


def test_links_in_a_zip_come_as_links_and_nothing_is_written_through_them(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, aim in (("up", "../secret"), ("p.aedb/link", "edb.def"), ("file", "../secret")):
            member = zipfile.ZipInfo(name)
            member.external_attr = LINK
            packed.writestr(member, aim)
        packed.writestr("p.aedb/edb.def", "layout")
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("file", "a file")
    inside = tmp_path / "in"
    archives.unpack(stream, inside)
    assert (inside / "up").readlink() == Path("../secret")
    assert (inside / "p.aedb" / "link").readlink() == Path("edb.def")
    assert (inside / "p.aedb" / "link").read_text() == "layout"
    assert (inside / "file").is_file()
    assert not (inside / "file").is_symlink()
    with zipfile.ZipFile(stream, "a") as packed:
        packed.writestr("up/written", "outside")
    with pytest.raises(OSError, match="up"):
        archives.unpack(stream, tmp_path / "again")
    assert [*(tmp_path / "secret").iterdir()] == []
