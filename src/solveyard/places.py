"""Where things are on this machine: a store's files, and its sockets."""

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path

from solveyard.model import paths
from solveyard.model.errors import StoreUnusable
from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import JobId

_SHARD = 1000  #: jobs whose output files share a folder


def store_folder(given: str | Path | None = None) -> Path:
    """The store to use: the one given, else $SOLVEYARD_HOME, else the platform's data folder.

    Raises StoreUnusable for a name that no job, record or answer could hold, and for a place where
    no folder can be.
    """
    found = _chosen(given or os.environ.get("SOLVEYARD_HOME"))
    if "\0" in str(found):
        raise StoreUnusable("the name of the store's folder has a NUL character (choose another)")
    if (spelt := paths.spelt(str(found))) != str(found):
        raise StoreUnusable(
            f"the name of the store's folder isn't UTF-8: {spelt!r} (%FF is a byte of it; choose"
            " another with --store or SOLVEYARD_HOME)"
        )
    there = next((one for one in (found, *found.parents) if _is_there(one)), None)
    if there is not None and there.is_file():
        raise StoreUnusable(
            f"the store {found} can't be there: {there} is no folder (choose another with --store"
            " or SOLVEYARD_HOME)"
        )
    return found


def _is_there(place: Path) -> bool:
    try:
        return place.exists()
    except OSError:  # one that may not be looked at
        return False


def _chosen(given: str | Path | None) -> Path:
    if given:
        return Path(given).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("solveyard", appauthor=False)


class StorePlaces:
    """The files of one store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._jobs = str(folder / "jobs")

    @property
    def manager_json(self) -> Path:
        return self.folder / "manager.json"

    @property
    def manager_log(self) -> Path:
        return self.folder / "manager.log"

    @property
    def agent(self) -> Path:
        """The agent's own folder: its ledgers, locks and log."""
        return self.folder / "agent"

    @property
    def agent_address(self) -> Path:
        """Says where the manager listens for agents, also to those that an earlier one started."""
        return self.agent / "address"

    @property
    def agent_token(self) -> Path:
        return self.agent / "token"

    @property
    def jobs(self) -> Path:
        """The jobs' own folders."""
        return Path(self._jobs)

    @property
    def removing(self) -> Path:
        """A file for each removed job whose files are still to be deleted."""
        return self.folder / "removing"

    def output_shard(self, job: JobId) -> Path:
        """The folder with the output of a job, or with the one for an array's tasks."""
        return self.folder / "output" / str(job // _SHARD)

    def job_folder(self, job: JobId) -> Path:
        """Where a job runs that names no directory; a task in a folder of its array's."""
        return Path(self.job_directory(job))

    def job_directory(self, job: JobId) -> str:
        """`job_folder` as text, which is made a hundred times for a page of jobs."""
        array = array_of(job)
        if array is None:
            return f"{self._jobs}{os.sep}{job}"
        return f"{self._jobs}{os.sep}{array}{os.sep}{position_of(job)}"

    def output(self, job: JobId, attempt: int) -> tuple[str, str]:
        """Paths of standard output and standard error of an attempt (from 1)."""
        array, position = array_of(job), position_of(job)
        if array is None or position is None:
            place = f"{self.folder}/output/{job // _SHARD}/{job}.{attempt}"
        else:
            shard = f"{array // _SHARD}/{array}.tasks/{position // _SHARD}"
            place = f"{self.folder}/output/{shard}/{position}.{attempt}"
        return f"{place}.out", f"{place}.err"


def runtime_folder(store: Path) -> Path:
    """A private folder (0700) for a store's sockets, with a short path; made where it isn't.

    Raises StoreUnusable when it can't be made, or somebody else owns it.
    """
    key = hashlib.sha256(os.fsencode(store.resolve())).hexdigest()[:16]
    base = _private(_runtime_base())
    return _private(base / key)


def _runtime_base() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given and len(given) < 50 and os.access(given, os.W_OK):
        return Path(given) / "solveyard"
    if sys.platform == "win32":
        return Path(tempfile.gettempdir()) / "solveyard"
    return Path("/tmp") / f"solveyard-{os.getuid()}"


def _private(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnusable(
            f"cannot make {folder}, where a store's sockets are: {error.strerror or error}"
            " (set XDG_RUNTIME_DIR to a private folder)"
        ) from error
    if sys.platform != "win32":
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise StoreUnusable(
                f"{folder} is not a folder of your own: somebody else made it"
                " (set XDG_RUNTIME_DIR to a private folder)"
            )
        folder.chmod(0o700)
    return folder
