"""The agent as one file: what travels to a machine and runs under any Python 3.8 or newer."""

import hashlib
import io
import os
import tempfile
import zipfile
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from solveyard import __version__

_PARTS = ("wire", "agent")
_MAIN = b"""import sys

from solveyard.agent.entry import main

sys.exit(main(sys.argv[1:]))
"""
_BEGIN = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can tell; equal sources, equal bytes


def build(folder: Path) -> Path:
    """The agent's zipapp in `folder`, made if this version of it isn't there yet.

    Others may build it at the same moment: it appears whole. Raises OSError.
    """
    archive = _archive()
    digest = hashlib.sha256(archive).hexdigest()[:12]
    path = folder / f"solveyard-agent-{__version__}-{digest}.pyz"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, fresh = tempfile.mkstemp(dir=folder, prefix=".agent-")
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(archive)
            Path(fresh).replace(path)
        except OSError:
            Path(fresh).unlink(missing_ok=True)
            raise
    return path


def _archive() -> bytes:
    package = resources.files("solveyard")
    sources = {
        "__main__.py": _MAIN,
        "solveyard/__init__.py": (package / "__init__.py").read_bytes(),
    }
    for part in _PARTS:
        sources.update(_sources(package / part, f"solveyard/{part}"))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in sorted(sources.items()):
            entry = zipfile.ZipInfo(name, _BEGIN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, source)
    return stream.getvalue()


def _sources(folder: Traversable, name: str) -> dict[str, bytes]:
    found = {}
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            found.update(_sources(entry, f"{name}/{entry.name}"))
        elif entry.name.endswith(".py"):
            found[f"{name}/{entry.name}"] = entry.read_bytes()
    return found
