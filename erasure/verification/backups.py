"""Check the backups in the catalogue. They may hold rows and ciphertext of what is gone, but never a key."""

from pathlib import Path

from erasure.backups.key_material import key_material
from erasure.backups.models import Backup
from erasure.verification.places import Place, Subject


def backups(subject: Subject) -> Place:
    """Check that no backup made before the end of the run or destruction holds key material of any kind."""
    made = Backup.objects.all()
    if subject.work.finished_at:
        made = made.filter(made_at__lte=subject.work.finished_at)
    directories = [Path(name) for name in made.values_list("directory", flat=True)]
    found = [
        f"backup:{directory.name}:{name}" for directory in directories for name in key_material(directory)
    ]
    if not found and not all(directory.is_dir() for directory in directories):
        return Place.not_checkable("catalogue", "elsewhere")
    return Place.checked("catalogue", found, len(directories), why="" if directories else "none-here")
