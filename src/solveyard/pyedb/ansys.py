"""Which ansysedt there is on this machine."""

import re
import sys
from pathlib import Path
from typing import Any

from solveyard.pyedb.errors import AnsysNotFound, InvalidConfig
from solveyard.solvers.hfss.installations import Installation, installations
from solveyard.surroundings import Here

_RELEASE = re.compile(r"v?(?:20)?(\d\d)[ .]?R?([1-9])\Z", re.IGNORECASE)


def newest() -> str | None:
    """The path of the newest; None: none was found."""
    found = installations(Here())
    return found[0].program if found else None


def needed() -> str:
    """`newest`. Raises AnsysNotFound."""
    found = newest()
    if found is None:
        raise AnsysNotFound(
            "No installed Ansys EM versions found (give ansys_edt_path, or set ANSYSEM_ROOT and the"
            " release, such as ANSYSEM_ROOT252)"
        )
    return found


def of_release(version: str | int) -> str:
    """The ansysedt of "252", "2025.2", "25R2" or "2025 R2". Raises InvalidConfig."""
    match = _RELEASE.match(str(version).strip())
    wanted = int(match[1] + match[2]) if match else 0
    found = installations(Here())
    for one in found:
        if one.release == wanted:
            return one.program
    raise InvalidConfig(f"ANSYS release {version} not found (there is: {_listed(found)})")


def of_edb(edb: Any) -> str | None:
    """The ansysedt of the installation that an Edb uses; None: it doesn't say."""
    base = getattr(edb, "base_path", None)
    if not base:
        return None
    name = "ansysedt.exe" if sys.platform == "win32" else "ansysedt"
    return str(Path(str(base), name))


def _listed(found: list[Installation]) -> str:
    return ", ".join(dict.fromkeys(str(one.release) for one in found)) or "none"
