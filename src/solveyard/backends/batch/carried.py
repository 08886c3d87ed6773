"""Our own programs as one file, for machines on which nothing of ours is installed.

They need a python3 there, of 3.10 or newer, and what they run: `nec2c` or `ansysedt`.
"""

import functools
import io
import sys
import zipfile
from collections.abc import Sequence
from importlib import resources

_OURS = "solveyard.programs."
_BEGIN = (1980, 1, 1, 0, 0, 0)  # equal sources, equal bytes
_MAIN = """\
import runpy
import sys

if sys.version_info < (3, 10):
    sys.exit(
        "solveyard: this needs Python 3.10 or newer, and python3 is %d.%d at %s (have the"
        " cluster's `modules` or `prologue` load a newer one)"
        % (sys.version_info[0], sys.version_info[1], sys.executable)
    )
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


def carries(argv: Sequence[str]) -> bool:
    """Is it one of our programs, by this Python?"""
    python, *rest = argv
    return (
        python == sys.executable
        and rest[:2] == ["-P", "-m"]
        and "".join(rest[2:3]).startswith(_OURS)
    )


def there(argv: Sequence[str], archive: str) -> tuple[str, ...]:
    """The same with any Python and the file `archive`."""
    return ("python3", archive, *argv[3:])


_NEEDED = ("wire/__init__.py", "wire/beneath.py")  #: by programs
_MORE = {"__main__.py": _MAIN, "solveyard/__init__.py": ""}


@functools.cache
def archive() -> bytes:
    """The file's content."""
    stream = io.BytesIO()
    package = resources.files("solveyard")
    programs = [one.name for one in (package / "programs").iterdir() if one.name.endswith(".py")]
    paths = [*(f"programs/{name}" for name in programs), *_NEEDED]
    sources = {f"solveyard/{path}": package.joinpath(path).read_text() for path in paths}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in sorted({**_MORE, **sources}.items()):
            packed.writestr(zipfile.ZipInfo(name, _BEGIN), text, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
