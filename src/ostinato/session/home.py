"""The folder of a home: its paths, and whether it may be one."""

from __future__ import annotations

import os
from typing import Final

from ostinato.core.errors import HomeOnNetwork, HomeReadOnly

NETWORK_KINDS: Final = frozenset(
    "9p acfs afs beegfs ceph cifs coda davfs fuse.ceph fuse.cephfs fuse.gcsfuse fuse.glusterfs fuse.rclone"
    " fuse.s3fs fuse.sshfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs3 nfs4 ocfs2 pvfs2 smb2 smb3 smbfs".split()
)
"""File systems of other machines. Local disks of virtual machines (virtiofs) are none of them."""

MOUNTS: Final = "/proc/self/mounts"


class Home:
    """Names what lies in a home."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.database = os.path.join(folder, "ostinato.db")
        self.journal = os.path.join(folder, "journal")
        self.damaged = os.path.join(self.journal, "damaged")
        self.blobs = os.path.join(folder, "blobs")
        self.server_card = os.path.join(folder, "server.json")
        """Where the server that runs on it can be found."""
        self.server_lock = os.path.join(folder, "server.lock")
        """Locked by that server while it lives."""

    def make(self) -> None:
        """Make the folder if it is missing, and refuse one that cannot be a home.

        Raises:
            HomeReadOnly: (home-read-only) it cannot be made.
            HomeOnNetwork: (home-on-network-disk) locks and syncs cannot be trusted there.
        """
        try:
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            os.makedirs(self.journal, exist_ok=True)
        except OSError as error:
            raise HomeReadOnly(home=self.folder, reason=error.strerror) from error
        kind = file_system(self.folder, mounts())
        if kind in NETWORK_KINDS:
            raise HomeOnNetwork(home=self.folder, kind=kind)


def file_system(folder: str, mounts: str) -> str:
    """Give the kind of file system that a folder is on, by the text of /proc/self/mounts; "" when unknown."""
    path = os.path.realpath(folder)
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= best:
            best, kind = len(point), fields[2]
    return kind


def mounts() -> str:
    """Give the text of the table of mounts, empty where there is none."""
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:  # no Linux: nothing is known, and nothing is refused
        return ""
