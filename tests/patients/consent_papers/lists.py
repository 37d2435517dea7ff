"""Cases with a locked map, their consent lists, and signatures of them."""

import dataclasses
from typing import Any

from clinic.accounts.models import Role
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import current_text
from patients.consent_papers.consent_list import ConsentList, list_of
from patients.consent_papers.signing import Seen, locked_map_of, sign_what_was_shown
from patients.keepsakes.models import Keepsake
from patients.maps.locking import lock_map, unlock_map
from patients.memories.models import Memory
from patients.vault.sealed import SealedModel
from tests.factories import make_case, make_keepsake, make_letter, make_memory, make_other, make_user


def rewrite(row: SealedModel, **words: Any) -> None:
    """Change sealed fields of a memory or keepsake, and save them."""
    row.write(dataclasses.replace(row.read(), **words))
    row.save(update_fields=["sealed"])


def lock(case: Case) -> None:
    lock_map(case, by=make_user(Role.DOCTOR))
    case.refresh_from_db()


def unlock(case: Case) -> None:
    unlock_map(case, by=make_user(Role.DOCTOR))
    case.refresh_from_db()


def make_listed(name: str = "Nora Vale", subject: str = "Clementine") -> Case:
    """A case with a locked map of two memories to erase. One more is protected, one is of childhood.

    The memories to erase have a photo, a letter, an object and a recording; the protected one has a photo.
    """
    case = make_case(make_user(Role.PATIENT, name=name), subject_name=subject)
    river = make_memory(case, "The frozen river", "2003-02-01")
    rewrite(river, place="Montauk", people=["Anna", "Rob"], when="winter 2003")
    rewrite(make_keepsake(river, caption="On the ice"), taken="2003-02-01T20:00:00", others="Carrie, anna")
    valentine = make_memory(case, "Valentine", "2004-02-14")
    make_letter(valentine, "Dear you, I kept it.")
    make_other(valentine, "object")
    make_other(valentine, "recording")
    make_keepsake(
        make_memory(case, "The drum lesson", "2002-05-01", fate=Memory.Fate.PROTECTED), caption="Drum"
    )
    make_memory(case, "The kitchen table", "1980-05-01", zone=Memory.Zone.CHILDHOOD)
    lock(case)
    return case


def listed(case: Case) -> ConsentList:
    """The consent list of a case with a locked map, as its page would show it now."""
    locked_map = locked_map_of(case)
    assert locked_map is not None
    return list_of(case, locked_map)


def seen_now(case: Case) -> Seen:
    """The digests of text, map and list, as the consent page of a case shows them now."""
    locked_map = locked_map_of(case)
    assert locked_map is not None
    text = current_text(ConsentText.Kind.PROCEDURE)
    return Seen(text.digest, locked_map.digest, listed(case).digest)


def sign_now(
    case: Case, *, name: str = "Nora Vale", witness: str = "", seen: Seen | None = None
) -> Signature:
    """Sign as the patient. seen: what the page showed; by default, what it shows now."""
    return sign_what_was_shown(
        case,
        by=case.patient,
        kind=ConsentText.Kind.PROCEDURE,
        seen=seen or seen_now(case),
        name=name,
        witness=witness,
    )


def thing_of(case: Case) -> Keepsake:
    """The object of a case of `make_listed`."""
    return Keepsake.objects.get(case=case, kind=Keepsake.Kind.OBJECT)
