"""Archives of projects: a zip or a tar, read from an open file, which may be damaged."""

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from solveyard.programs.folders import Unusable

try:
    from lzma import LZMAError
except ImportError:  # a Python may be built without it
    LZMAError = zlib.error  # type: ignore[misc,assignment]

#: What the standard library raises for bytes that it can't make sense of.
_SENSELESS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError,
    RuntimeError, ValueError, OverflowError,
)  # fmt: skip
_PIECE = 1 << 20  #: bytes
_LONGEST = 4096  #: bytes of a path


def size(file: BinaryIO) -> int:
    """Bytes of all that is in it. Raises as `unpack` does."""
    with _damage_told():
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as packed:
                return sum(member.file_size for member in packed.infolist())
        with _tar(file) as packed_:
            return sum(member.size for member in packed_)


def unpack(file: BinaryIO, inside: Path) -> None:
    """All that is in it, into a folder that isn't there. Raises Unusable, OSError."""
    with _damage_told():
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as packed:
                _unpack_zip(packed, inside)
        else:
            with _tar(file) as packed_:
                _unpack_tar(packed_, inside)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(error) from error  # of a compressed stream, not of the system
    except _SENSELESS as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> Unusable:
    return Unusable(f"it is damaged or protected: archive it anew in AEDT ({error})")


def _unpack_zip(packed: zipfile.ZipFile, inside: Path) -> None:
    """Links are made last, so that nothing is written through them."""
    links: dict[str, str] = {}
    for member in packed.infolist():
        place = packed.extract(member, inside)
        links.pop(place, None)
        if stat.S_ISLNK(member.external_attr >> 16):
            with packed.open(member) as aim:
                links[place] = os.fsdecode(aim.read(_LONGEST))
    for place, leads_to in links.items():
        Path(place).unlink()
        Path(place).symlink_to(leads_to)


def _unpack_tar(packed: tarfile.TarFile, inside: Path) -> None:
    """`tarfile` takes a broken header for the end, and doesn't read on to a stream's checksum."""
    if not hasattr(tarfile, "data_filter"):
        raise Unusable("it is a tar, which takes Python 3.10.12, 3.11.4 or newer to unpack safely")
    try:
        packed.extractall(inside, filter="data")
    except tarfile.FilterError as error:
        raise Unusable(str(error)) from error
    stream = packed.fileobj
    assert stream is not None
    stream.seek(packed.offset)
    if any(stream.read(tarfile.BLOCKSIZE)):
        raise tarfile.ReadError("a header is broken")
    while stream.read(_PIECE):
        pass


def _tar(file: BinaryIO) -> tarfile.TarFile:
    file.seek(0)
    try:
        return tarfile.open(fileobj=file)
    except tarfile.ReadError as error:
        neither = "it is neither a zip nor a tar, or damaged"
        raise Unusable(f"{neither} (restore it in AEDT, and give the .aedt)") from error
