"""Archives of projects: a zip or a tar, read from an open file."""

import tarfile
import zipfile
from pathlib import Path
from typing import BinaryIO

from solveyard.programs.folders import Unusable


def size(file: BinaryIO) -> int:
    """Bytes of all that is in it. Raises as `unpack` does."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            return sum(member.file_size for member in packed.infolist())
    with _tar(file) as packed_:
        return sum(member.size for member in packed_)


def unpack(file: BinaryIO, inside: Path) -> None:
    """All that is in it, into a folder that isn't there. Raises Unusable, OSError."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            packed.extractall(inside)
    else:
        with _tar(file) as packed_:
            packed_.extractall(inside, filter="data")


def _tar(file: BinaryIO) -> tarfile.TarFile:
    file.seek(0)
    try:
        return tarfile.open(fileobj=file)
    except tarfile.ReadError as error:
        neither = "it is neither a zip nor a tar (restore it in AEDT, and give the .aedt)"
        raise Unusable(neither) from error
