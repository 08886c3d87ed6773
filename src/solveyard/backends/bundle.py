"""The agent as one file: what travels to a machine and runs under any Python 3.8 or newer."""

import hashlib
import io
import marshal
import os
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from importlib import resources
from importlib.machinery import SourceFileLoader
from importlib.resources.abc import Traversable
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path

from solveyard import __version__

_PARTS = ("wire", "agent")
_MAIN = b"""import sys

from solveyard.agent.entry import main

sys.exit(main(sys.argv[1:]))
"""
_QUICK = 1  #: zlib's level: the file is 7 % larger than by its own, made in half the time
_BEGIN = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can tell; equal sources, equal bytes


def build(folder: Path) -> Path:
    """The agent's zipapp in `folder`, made if this version of it isn't there yet.

    Beside its sources it has what this Python makes of them, which others read over. Others may
    build it at the same moment: it appears whole. Raises OSError.
    """
    sources = _all_sources()
    digest = hashlib.sha256(str(sys.implementation.cache_tag).encode())
    for name, source in sorted(sources.items()):
        digest.update(b"%d %s %d " % (len(name), name.encode(), len(source)) + source)
    path = folder / f"solveyard-agent-{__version__}-{digest.hexdigest()[:12]}.pyz"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, fresh = tempfile.mkstemp(dir=folder, prefix=".agent-")
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(_archive(sources))
                stream.flush()
                os.fsync(stream.fileno())  # a name whose content power took would stay for ever
            Path(fresh).replace(path)
        except OSError:
            Path(fresh).unlink(missing_ok=True)
            raise
    return path


def _archive(sources: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in sorted(sources.items()):
            for file, content in ((name, source), (f"{name}c", _compiled(name, source))):
                entry = zipfile.ZipInfo(file, _BEGIN)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content, compresslevel=_QUICK)
    return stream.getvalue()


def _compiled(name: str, source: bytes) -> bytes:
    """As a .pyc that isn't checked against its source: both are in one file. PEP 552.

    What Python keeps beside the module is used: compiling them all takes longer than a start does.
    """
    package = resources.files("solveyard")
    code = None
    if isinstance(package, Path) and name.startswith("solveyard/"):
        path = str(package.parent / name)
        code = SourceFileLoader(name, path).get_code(name)
    code = code or compile(source, name, "exec", dont_inherit=True)
    return MAGIC_NUMBER + (1).to_bytes(4, "little") + source_hash(source) + marshal.dumps(code)


def _all_sources() -> dict[str, bytes]:
    package = resources.files("solveyard")
    found = {
        "__main__.py": _MAIN,
        "solveyard/__init__.py": (package / "__init__.py").read_bytes(),
    }
    for part in _PARTS:
        found.update(_sources(package / part, f"solveyard/{part}"))
    return found


def _sources(folder: Traversable, name: str) -> dict[str, bytes]:
    found = {}
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found.update(_sources(entry, f"{name}/{entry.name}"))
        elif entry.name.endswith(".py"):
            found[f"{name}/{entry.name}"] = entry.read_bytes()
    return found
