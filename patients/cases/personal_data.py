"""A patient's files, and who viewed them, as sections of what is held about them."""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import Record, make_record, register_section
from patients.cases.models import Case
from patients.cases.view_log import view_entries, views_of
from patients.vault.sealed import with_fields


@register_section(20, _("Your files"))
def files(person: User) -> Iterator[Record]:
    cases = Case.objects.filter(patient=person).order_by("opened_at")
    for case, fields in with_fields(cases):
        yield make_record(
            _("File %(number)s") % {"number": case.reference},
            (_("Opened"), case.opened_at),
            (_("Closed"), case.closed_at),
            (_("Stage"), case.get_stage_display()),
            (_("Whom you want to forget"), fields.subject_name),
            (_("Who they are to you"), fields.subject_relation),
        )
        for chapter in fields.chapters:
            yield make_record(
                _("A chapter: %(name)s") % {"name": chapter.get("name", "")},
                (_("From"), _day(chapter.get("from"))),
                (_("To"), _day(chapter.get("to"))),
            )
        for note in fields.notes:
            yield make_record(_("A note"), *((name, text) for name, text in note.items()))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


@register_section(90, _("Who looked at your file"))
def views(person: User) -> Iterator[Record]:
    entries = view_entries(Case.objects.filter(patient=person))
    for view in views_of(list(entries)):
        yield make_record(view.who, (_("When"), view.at), (_("What"), view.what), (_("Why"), view.why))
