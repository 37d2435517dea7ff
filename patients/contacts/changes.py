"""Reads and changes how a patient is reached."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction

from clinic.accounts.models import PersonWord, User
from clinic.accounts.search_words import PHONE_KINDS, phone_words, write_words
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case
from patients.contacts.models import Contact

FIELDS = ("phone", "address", "language", "way")


def contact_of(patient: User) -> dict[str, str]:
    """Return how a patient is reached: the values of FIELDS. Reads one row."""
    row = Contact.objects.filter(patient=patient).first() or Contact(patient=patient)
    return {
        "phone": row.phone,
        "address": row.address,
        "language": patient.language or settings.LANGUAGE_CODE,
        "way": row.way,
    }


def contact_in_words(patient: User) -> dict[str, str]:
    """Return how a patient is reached for a page, with the words of the language and the preferred way."""
    values = contact_of(patient)
    return values | {
        "email": patient.email,
        "language": str(dict(settings.LANGUAGES).get(values["language"], values["language"])),
        "way": str(Contact.Way(values["way"]).label),
    }


def lock_patient(case: Case) -> User:
    """Lock the account of the patient of a case and return it. Call it in a transaction."""
    return User.objects.select_for_update().get(pk=case.patient_id)


@transaction.atomic
def change_contact(case: Case, values: Mapping[str, Any], *, by: User) -> bool:
    """Write the fields FIELDS of `values`. Return whether anything has changed.

    The audit entry names the fields and not their values.
    """
    patient = lock_patient(case)
    before = contact_of(patient)
    after = {name: values[name] for name in FIELDS}
    changed = [name for name in FIELDS if after[name] != before[name]]
    if not changed:
        return False
    if "language" in changed:
        patient.language = after["language"]
        patient.save(update_fields=["language"])
    write_contact(patient, phone=after["phone"], address=after["address"], way=after["way"])
    details = dict.fromkeys(changed, True)
    act = Act("contact.changed", f"case:{case.pk}", actor=actor_of(by), case=case.pk, details=details)
    record(act)
    return True


def write_contact(patient: User, *, phone: str, address: str, way: str) -> None:
    """Store how a patient is reached, and the search words of the telephone number.

    Call it in a transaction.
    """
    Contact.objects.update_or_create(
        patient=patient, defaults={"phone": phone, "address": address, "way": way}
    )
    write_words(PersonWord, {"user": patient}, phone_words(phone), PHONE_KINDS)
