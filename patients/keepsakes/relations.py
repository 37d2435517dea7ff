"""A user's relations to a keepsake, to its stored objects and to an upload are those to its case."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from patients.cases.relations import case_standing
from patients.keepsakes.models import Keepsake, Upload
from patients.vault.models import StoredObject


@relation("keepsake")
def to_keepsake(user: User, value: UUID) -> Standing | None:
    return case_standing(user, Keepsake.objects.filter(pk=value).values_list("case_id", flat=True).first())


@relation("picture")
def to_picture(user: User, value: UUID) -> Standing | None:
    return case_standing(
        user, StoredObject.objects.filter(pk=value).values_list("case_id", flat=True).first()
    )


@relation("upload")
def to_upload(user: User, value: UUID) -> Standing | None:
    return case_standing(user, Upload.objects.filter(pk=value).values_list("case_id", flat=True).first())
