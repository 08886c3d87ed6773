"""solveyard: a job manager for simulations.

`Yard` is what people import; it attaches to a running manager or runs one in a thread.
"""

# This file travels in the agent's zipapp, too: standard library, Python 3.8, nothing eager.

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solveyard.yard import Yard, YardJob

__version__ = "0.1.0"
__all__ = ["Yard", "YardJob", "__version__"]


def __getattr__(name: str) -> object:
    if name in {"Yard", "YardJob"}:
        return getattr(import_module("solveyard.yard"), name)
    raise AttributeError("module 'solveyard' has no attribute {!r}".format(name))
