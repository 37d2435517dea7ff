"""Uploads by the mark of their file: those that can be continued, also from another device, and twins."""

from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.http.guard import Refused
from patients.cases.models import Case
from patients.imaging.refusals import size_words
from patients.keepsakes.models import Upload
from patients.keepsakes.tus_headers import parse_metadata
from patients.vault.sealed import read_many


@dataclass(frozen=True)
class HalfWay:
    """One unfinished upload. offset: how many of its `length` bytes have arrived.

    mark: by which the client recognises the file; "" if it sent none.
    """

    pk: UUID
    filename: str
    mark: str
    offset: int
    length: int

    @property
    def arrived(self) -> str:
        """Return how much of it has arrived, such as "3 MB of 1.2 GB"."""
        return _("%(part)s of %(whole)s") % {
            "part": size_words(self.offset),
            "whole": size_words(self.length),
        }


def uploads_half_way(case: Case, by: User) -> list[HalfWay]:
    """Return the uploads of a case that their sender can continue, the oldest first."""
    rows = list(
        Upload.objects.filter(
            case=case, by=by, keepsake__isnull=True, length_deferred=False, expires_at__gt=timezone.now()
        ).order_by("created_at")
    )
    fields_by_id = read_many(rows, skip_damaged=True)
    return [
        HalfWay(row.pk, fields.filename, _mark_in(fields.metadata), row.offset, row.length)
        for row in rows
        if (fields := fields_by_id.get(row.pk))
    ]


def twin_of(case: Case, mark: str, length: int | None) -> UUID | None:
    """Return the id of a keepsake of the case that was made of the file with this mark, or None.

    length: of the file in bytes, None if it is not known yet. Only uploads of that length are decrypted.
    """
    if not mark:
        return None
    uploads = Upload.objects.filter(case=case, keepsake__gone_at__isnull=True, keepsake__isnull=False)
    rows = list(uploads if length is None else uploads.filter(length=length))
    fields_by_id = read_many(rows, skip_damaged=True)
    twins = (
        row for row in rows if row.pk in fields_by_id and _mark_in(fields_by_id[row.pk].metadata) == mark
    )
    return next((row.keepsake_id for row in twins), None)


def _mark_in(metadata: str) -> str:
    """Return the mark in stored metadata; "" if there is none."""
    try:
        return parse_metadata(metadata).values.get("mark", "")
    except Refused:  # one damaged upload must not keep the page of all from opening
        return ""
