"""Is there a PyEDB beside us whose own job manager lies at the same paths?"""

import functools
import re
import warnings
from importlib import metadata

WITHOUT = (0, 66)  #: the first PyEDB that has no job manager
MEND = (
    'pip install "pyedb>=0.66"'
    " && pip install --force-reinstall --no-deps ./packages/solveyard-pyedb"
)


class MixedFiles(UserWarning):
    """Two distributions wrote files at the same paths."""


@functools.cache
def check() -> None:
    """Warn where there is, once."""
    try:
        found = metadata.version("pyedb")
    except metadata.PackageNotFoundError:
        return
    numbers = tuple(int(number) for number in re.findall(r"\d+", found)[:2])
    if numbers < WITHOUT:
        warnings.warn(
            f"PyEDB {found} has a job manager of its own at the same paths, so its files and"
            f" solveyard's are mixed: mend it in solveyard's repository by {MEND} (the last word is"
            " solveyard-pyedb where an index has that)",
            MixedFiles,
            stacklevel=3,
        )
