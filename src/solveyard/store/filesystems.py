"""Which file systems let processes share memory and locks as SQLite's write-ahead log needs."""

import re
import sys
from pathlib import Path

_NETWORK = frozenset({
    "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "gfs", "gfs2", "glusterfs",
    "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2",
    "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav",
})  # fmt: skip


def on_network(folder: Path) -> bool:
    """Whether `folder` may be shared with other machines, so that only one process may open it.

    All of FUSE counts (sshfs is one of it): what a user-space file system keeps can't be known.
    """
    kind = _kind(folder.resolve())
    return kind in _NETWORK or kind == "fuse" or kind.startswith("fuse.")


def kind_in(mountinfo: str, folder: Path) -> str:
    """The type of the file system that `folder` is on, by /proc/self/mountinfo; "": unknown.

    Lines are "36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/sda1 rw"; the last
    of equal mount points lies on top. Source: proc_pid_mountinfo(5).
    """
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        if not separator:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", _character, before.split(" ")[4]))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind


def _character(octal: re.Match[str]) -> str:
    return chr(int(octal[1], 8))


def _kind(folder: Path) -> str:
    if sys.platform == "linux":
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
        return kind_in(mounts, folder)
    if str(folder).startswith("\\\\"):  # \\server\share
        return "smbfs"
    import psutil  # slow, and not needed on Linux

    best, kind = -1, ""
    for partition in psutil.disk_partitions(all=True):
        point = Path(partition.mountpoint)
        if folder.is_relative_to(point) and len(point.parts) >= best:
            remote = "remote" in partition.opts.split(",")  # Windows says so here
            best, kind = len(point.parts), "smbfs" if remote else partition.fstype.lower()
    return kind
