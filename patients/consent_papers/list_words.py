"""The figures of a consent's list, and what the procedure cannot do, for the page and for the paper."""

from collections import Counter

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from patients.consent_papers.consent_list import ConsentList
from patients.keepsakes.models import Keepsake


def counts(listed: ConsentList) -> list[tuple[str, int]]:
    """Return the figures of the list: what is erased by kind, and what stays."""
    kinds = Counter(one.kind for one in listed.erased_keepsakes)
    rows = [(_("Memories to be erased"), len(listed.erased))]
    rows += [(str(capfirst(label)), kinds[kind]) for kind, label in Keepsake.Kind.choices if kinds[kind]]
    return [*rows, (_("Memories you keep"), len(listed.protected) + len(listed.childhood))]


def beyond_reach(listed: ConsentList) -> list[str]:
    """Return what the procedure cannot do for this patient, one sentence each."""
    sentences = [
        _(
            "What is in your phone, in a cloud, on a computer or with a friend stays there. We cannot see it"
            " and cannot reach it."
        )
    ]
    if listed.people:
        sentences.append(
            _("These people are in it or were there, and may have copies of their own: %(names)s.")
            % {"names": ", ".join(listed.people)}
        )
    else:
        sentences.append(_("Whoever was there may have copies of their own."))
    kinds = {one.kind for one in listed.erased_keepsakes}
    if kinds & {Keepsake.Kind.PHOTO, Keepsake.Kind.LETTER}:
        sentences.append(
            _(
                "Prints, negatives and letters on paper stay as they are. We erase what you brought to us of"
                " them."
            )
        )
    things = [one for one in listed.erased_keepsakes if one.kind == Keepsake.Kind.OBJECT]
    if with_us := [one.tag for one in things if one.with_us]:
        sentences.append(
            _(
                "A thing does not go with its picture. These are with us, until two people sign for what"
                " becomes of them: %(tags)s."
            )
            % {"tags": ", ".join(with_us)}
        )
    if with_you := [one.tag for one in things if not one.with_us]:
        sentences.append(
            _("A thing does not go with its picture. These are with you, and stay with you: %(tags)s.")
            % {"tags": ", ".join(with_you)}
        )
    return sentences
