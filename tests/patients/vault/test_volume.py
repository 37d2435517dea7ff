"""Warnings about volumes that do not overwrite in place, found in the kernel's table of mounts."""

from pathlib import Path

from patients.vault.keys import VolumeWarning
from patients.vault.volume import mount_of, reason_against, volume_warnings

MOUNTS = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
23 22 0:30 / /srv rw - btrfs /dev/vdb rw,space_cache=v2,subvol=/
24 22 254:3 / /var/keys rw shared:1 master:2 - ext4 /dev/vdc rw,errors=remount-ro,data=journal
25 22 0:31 / /tank rw - zfs tank rw,xattr
26 22 0:32 / /merged rw - overlay overlay rw,lowerdir=/a,upperdir=/b
27 22 0:33 / /with\040space rw - tmpfs tmpfs rw
28 22 0:34 / /far rw - nfs4 host:/x rw,vers=4.2
29 22 0:35 / /odd rw - fuse.sshfs host:/ rw
30 22 254:4 / /srv/plain rw - xfs /dev/vde rw
31 22 0:36 / /merged/again rw - ext4 /dev/vdf rw
32 22 0:37 / /merged/again rw - overlay overlay rw
"""


def test_the_deepest_and_latest_mount_counts() -> None:
    assert mount_of(Path("/srv/plain/keys"), MOUNTS) == ("xfs", "rw", "254:4")
    assert mount_of(Path("/srv/plainer"), MOUNTS)[0] == "btrfs"
    assert mount_of(Path("/merged/again/x"), MOUNTS)[0] == "overlay"
    assert mount_of(Path("/with space/keys"), MOUNTS)[0] == "tmpfs"
    assert mount_of(Path("/home"), MOUNTS) == ("ext4", "rw,discard", "254:0")
    assert mount_of(Path("/home"), "") == ("unknown", "", "")


def test_volumes_that_do_not_overwrite_in_place_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    places = {
        "keys": Path("/var/keys"),
        "mirror 1": Path("/srv/x"),
        "mirror 2": Path("/tank"),
        "mirror 3": Path("/merged"),
        "mirror 4": Path("/with space"),
        "mirror 5": Path("/far"),
        "mirror 6": Path("/odd"),
        "mirror 7": Path("/srv/plain"),
        "mirror 8": Path("/home"),
    }
    assert volume_warnings(places, tmp_path / "mountinfo", tmp_path) == (
        VolumeWarning("keys", "ext4", "data-journal"),
        VolumeWarning("mirror 1", "btrfs", "copy-on-write"),
        VolumeWarning("mirror 2", "zfs", "copy-on-write"),
        VolumeWarning("mirror 3", "overlay", "overlay"),
        VolumeWarning("mirror 4", "tmpfs", "volatile"),
        VolumeWarning("mirror 5", "nfs4", "network"),
        VolumeWarning("mirror 6", "fuse.sshfs", "unknown"),
    )


def test_a_missing_table_of_mounts_is_warned_of() -> None:
    assert volume_warnings({"keys": Path("/")}, Path("/nowhere/mountinfo")) == (
        VolumeWarning("keys", "unknown", "unknown"),
    )


def test_an_unknown_file_system_is_warned_of() -> None:
    assert reason_against("newfs", "rw") == "unknown"
    assert reason_against("ext4", "rw,data=ordered") is None


def make_device(devices: Path, number: str, **files: str) -> None:
    """Create the files of a device as /sys/dev/block has them."""
    for name, text in files.items():
        path = devices / number / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def test_volumes_that_keep_old_blocks_for_snapshots_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    make_device(tmp_path / "block", "254:0", **{"slaves__dm-3__dm__uuid": "LVM-aBcD-real"})
    make_device(tmp_path / "block", "254:4", **{"slaves__dm-7__dm__uuid": "LVM-aBcD-tpool"})
    places = {"keys": Path("/home"), "mirror 1": Path("/srv/plain")}
    assert volume_warnings(places, tmp_path / "mountinfo", tmp_path / "block") == (
        VolumeWarning("keys", "ext4", "snapshot"),
        VolumeWarning("mirror 1", "xfs", "snapshot"),
    )
    make_device(tmp_path / "block", "254:0", **{"slaves__dm-3__dm__uuid": "LVM-aBcD"})
    make_device(tmp_path / "block", "254:4", **{"slaves__dm-7__dm__uuid": "CRYPT-LUKS2-aBcD-keys"})
    assert volume_warnings(places, tmp_path / "mountinfo", tmp_path / "block") == ()


def test_a_loop_device_is_judged_by_the_volume_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    for backing, warnings in [
        ("/srv/keys.img", (VolumeWarning("keys", "xfs", "copy-on-write"),)),
        ("/var/lib/keys.img", ()),
        ("/merged/keys.img", (VolumeWarning("keys", "xfs", "overlay"),)),
    ]:
        make_device(tmp_path / "block", "254:4", loop__backing_file=backing)
        places = {"keys": Path("/srv/plain")}
        assert volume_warnings(places, tmp_path / "mountinfo", tmp_path / "block") == warnings


def test_the_real_table_of_mounts_can_be_read() -> None:
    filesystem, _, _ = mount_of(Path("/proc/self"), Path("/proc/self/mountinfo").read_text())
    assert filesystem == "proc"
