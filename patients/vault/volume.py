"""Does the volume under a directory overwrite in place? Read from the kernel's own table of mounts."""

import re
from pathlib import Path
from typing import Literal

from patients.vault.keys import VolumeWarning

Reason = Literal["copy-on-write", "data-journal", "overlay", "network", "volatile", "unknown"]

REASONS: dict[str, Reason] = {
    **dict.fromkeys(["btrfs", "zfs", "bcachefs", "nilfs2", "f2fs", "apfs"], "copy-on-write"),
    **dict.fromkeys(["overlay", "aufs", "fuse-overlayfs", "fuse.fuse-overlayfs"], "overlay"),
    **dict.fromkeys(["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "virtiofs"], "network"),
    **dict.fromkeys(["tmpfs", "ramfs"], "volatile"),
}
IN_PLACE = {"ext2", "ext3", "ext4", "xfs", "vfat", "jfs"}


def _unescaped(field: str) -> str:
    """The kernel writes space, tab, newline and backslash as octal."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def mount_of(directory: Path, mountinfo: str) -> tuple[str, str]:
    """File system type and super options of the mount that `directory` is on.

    `mountinfo` is the text of /proc/self/mountinfo (proc_pid_mountinfo(5)). Of several mounts on one place
    the last hides the others. Returns ("unknown", "") when no mount contains the directory.
    """
    found, depth = ("unknown", ""), -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        place = Path(_unescaped(before.split(" ")[4]))
        if directory.is_relative_to(place) and len(place.parts) >= depth:
            filesystem, _source, options = (*after.split(" "), "", "")[:3]
            found, depth = (filesystem, options), len(place.parts)
    return found


def reason_against(filesystem: str, options: str) -> Reason | None:
    """Why overwriting on such a file system can't be relied on, or None."""
    if filesystem.startswith("fuse") and filesystem not in REASONS:
        return "unknown"
    if filesystem in {"ext3", "ext4"} and "data=journal" in options.split(","):
        return "data-journal"
    return None if filesystem in IN_PLACE else REASONS.get(filesystem, "unknown")


def volume_warnings(
    places: dict[str, Path], mounts: Path = Path("/proc/self/mountinfo")
) -> tuple[VolumeWarning, ...]:
    """Warnings for directories by the name to report them under; empty when all overwrite in place."""
    try:
        mountinfo = mounts.read_text()
    except OSError:  # not Linux, or no /proc
        mountinfo = ""
    warnings = []
    for place, directory in places.items():
        filesystem, options = mount_of(directory.resolve(), mountinfo)
        if reason := reason_against(filesystem, options):
            warnings.append(VolumeWarning(place, filesystem, reason))
    return tuple(warnings)
