"""Which folders are on a network file system."""

from pathlib import Path

import pytest

from solveyard.store import filesystems

MOUNTS = r"""
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
23 22 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,size=8G
40 22 0:38 / /home rw,relatime shared:20 - nfs4 filer:/export/home rw,vers=4.2
41 40 0:39 / /home/ann/fast rw - xfs /dev/nvme1n1 rw
42 22 0:40 / /mnt/my\040share rw - cifs //filer/share rw
43 22 0:41 / /scratch rw shared:3 master:4 - lustre mds@tcp:/scratch rw
44 22 0:42 / /over rw - nfs filer:/over rw
45 44 0:43 / /over rw - tmpfs tmpfs rw
46 22 0:44 / /remote rw - fuse.sshfs ann@cluster: rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib", "ext4"),
        ("/home/ann/store", "nfs4"),
        ("/homework", "ext4"),
        ("/home/ann/fast/store", "xfs"),
        ("/mnt/my share/store", "cifs"),
        ("/scratch/ann", "lustre"),
        ("/over/store", "tmpfs"),
        ("/remote", "fuse.sshfs"),
    ],
)
def test_the_last_mount_that_holds_the_folder_tells_its_type(folder: str, kind: str) -> None:
    assert filesystems.kind_in(MOUNTS, Path(folder)) == kind


def test_unreadable_mounts_tell_nothing() -> None:
    assert filesystems.kind_in("", Path("/")) == ""
    assert filesystems.kind_in("nonsense\n", Path("/")) == ""


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        *[(kind, True) for kind in ("nfs", "nfs4", "cifs", "smb3", "lustre", "9p", "fuse.sshfs")],
        *[
            (kind, False)
            for kind in ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "apfs", "ntfs", "")
        ],
    ],
)
def test_file_systems_of_many_machines_are_told_from_those_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, network: bool
) -> None:
    monkeypatch.setattr(filesystems, "_kind", lambda folder: kind)
    assert filesystems.on_network(tmp_path) is network


def test_the_system_itself_is_asked(tmp_path: Path) -> None:
    assert filesystems._kind(tmp_path.resolve()) != ""
