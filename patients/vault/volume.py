"""Find out whether the volume of a directory overwrites in place, from the kernel's table of mounts.

What the kernel can't tell gets no warning here; every certificate states it instead (limits.py): a disk,
flash above all, may write to another place and keep the old block. XFS overwrites in place, except where a
file shares its blocks with a reflink copy, and such a copy would be a copy of the keys anyway.
"""

import re
from pathlib import Path

from patients.vault.keys import Reason, VolumeWarning

REASONS: dict[str, Reason] = {
    **dict.fromkeys(["btrfs", "zfs", "bcachefs", "nilfs2", "f2fs", "apfs"], "copy-on-write"),
    **dict.fromkeys(["overlay", "aufs", "fuse-overlayfs", "fuse.fuse-overlayfs"], "overlay"),
    **dict.fromkeys(["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "virtiofs"], "network"),
    **dict.fromkeys(["tmpfs", "ramfs"], "volatile"),
}
IN_PLACE = {"ext2", "ext3", "ext4", "xfs", "vfat", "jfs"}


def _unescaped(field: str) -> str:
    """Decode the octal escapes that the kernel writes for space, tab, newline and backslash."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def mount_of(directory: Path, mountinfo: str) -> tuple[str, str, str]:
    """Return file system type, super options and device (major:minor) of the mount that `directory` is on.

    `mountinfo` is the text of /proc/self/mountinfo (proc_pid_mountinfo(5)). Of several mounts on one
    directory, the last hides the others. Return ("unknown", "", "") when no mount contains the directory.
    """
    found, depth = ("unknown", "", ""), -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        mount_point = Path(_unescaped(fields[4]))
        if directory.is_relative_to(mount_point) and len(mount_point.parts) >= depth:
            filesystem, _source, options = (*after.split(" "), "", "")[:3]
            found, depth = (filesystem, options, fields[2]), len(mount_point.parts)
    return found


def reason_against(filesystem: str, options: str) -> Reason | None:
    """Return why overwriting in place can't be relied on with this file system, or None if it can."""
    if filesystem.startswith("fuse") and filesystem not in REASONS:
        return "unknown"
    if filesystem in {"ext3", "ext4"} and "data=journal" in options.split(","):
        return "data-journal"
    return None if filesystem in IN_PLACE else REASONS.get(filesystem, "unknown")


def snapshotted(device: str, devices: Path) -> bool:
    """Return whether a block device (major:minor) is an LVM volume that keeps old blocks (snapshotted, thin).

    `devices` is /sys/dev/block. LVM puts such a volume on top of a device whose uuid ends in -real (the
    origin of a snapshot), -cow (a snapshot) or -tpool (a pool of thin volumes): dmsetup(8), lvmthin(7).
    """
    return any(
        uuid.read_text().strip().endswith(("-real", "-cow", "-tpool"))
        for uuid in devices.glob(f"{device}/slaves/*/dm/uuid")
    )


def volume_warnings(
    places: dict[str, Path],
    mounts: Path = Path("/proc/self/mountinfo"),
    devices: Path = Path("/sys/dev/block"),
) -> tuple[VolumeWarning, ...]:
    """Return warnings for `places`, the directories by the name to report; none if all overwrite in place."""
    try:
        mountinfo = mounts.read_text()
    except OSError:  # not Linux, or no /proc
        mountinfo = ""
    warnings = []
    for place, directory in places.items():
        filesystem, options, device = mount_of(directory.resolve(), mountinfo)
        reason = reason_against(filesystem, options)
        image = devices / device / "loop" / "backing_file"
        if reason is None and device and image.exists():
            # A loop device on an image file is as good as the volume that the file is on.
            backing, options, device = mount_of(Path(image.read_text().strip()), mountinfo)
            reason = reason_against(backing, options)
        if reason is None and device and snapshotted(device, devices):
            reason = "snapshot"
        if reason:
            warnings.append(VolumeWarning(place, filesystem, reason))
    return tuple(warnings)
